"""Folders are read as what they are: the same logits, under our names and ids."""

import json
import re

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import logsumexp

from genjax import families, hf
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec, new_state
from genjax.core.tokens import BOS, EOS, MASK, PAD, UNK
from tests.hf import folders, ours, reference

IDS_BxT = np.array([[3, 17, 40, 101, 200, 7, 255], [260, 1, 2, 3, 4, 5, 6]])  # of a folder
PIECES_BxT = np.array([[3, 6, 7, 8, 4, 12, 4], [3, 5, 13, 1, 4, 2, 4]])
TYPES_BxT = np.array([[0, 0, 0, 0, 0, 1, 1]] * 2)


def moved(ids, special):
    """The folder's ids as ours, given its ids of PAD, UNK, BOS, EOS, MASK, -1 where absent."""
    others = [i for i in range(np.max(ids) + 1) if i not in special]
    new = dict(zip([*special, *others], range(1000)))
    return np.vectorize(new.__getitem__)(ids)


@pytest.mark.parametrize(
    "changes", [{}, {"activation_function": "relu", "n_inner": 12, "n_head": 4}], ids=["", "other"]
)
def test_gpt2_gives_the_reference_logits(changes, tmp_path):
    config, tensors = folders.make(tmp_path / "hf", "gpt2", **changes)
    pretrained = hf.read(tmp_path / "hf")
    found = ours.gpt_logits(pretrained, moved(IDS_BxT, (-1, -1, -1, 260, -1)))
    wanted = np.stack([reference.gpt2(tensors, config, ids) for ids in IDS_BxT])
    assert found.shape == (2, 7, 265)
    np.testing.assert_allclose(found[..., 5:], wanted[..., :260], atol=1e-4)
    np.testing.assert_allclose(found[..., EOS], wanted[..., 260], atol=1e-4)


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("act", ["gelu", "gelu_new"])
def test_bert_gives_the_reference_logits(pairs, act, tmp_path):
    folder = tmp_path / "hf"
    config, tensors = folders.make(folder, "bert", hidden_act=act)
    if not pairs:
        tensors = {n: x for n, x in tensors.items() if "seq_rel" not in n and "pooler" not in n}
        save_file(tensors, folder / "model.safetensors")
    pretrained = hf.read(folder)
    assert pretrained.config.loss.next_sentence == pairs
    assert pretrained.config.model.get("banned_tokens", ()) == ()
    special = (0, 2, 3, 4, 5)
    found, follows = ours.bert_logits(pretrained, moved(PIECES_BxT, special), TYPES_BxT)
    for b in range(2):
        wanted, pair = reference.bert(tensors, config, PIECES_BxT[b], TYPES_BxT[b])
        np.testing.assert_allclose(found[b, :, :5], wanted[:, special], atol=1e-4)
        np.testing.assert_allclose(found[b, :, 5], wanted[:, 1], atol=1e-4)  # [unused0]
        np.testing.assert_allclose(found[b, :, 6:], wanted[:, 6:], atol=1e-4)
        if pairs:
            np.testing.assert_allclose(follows[b], pair[0] - pair[1], atol=1e-4)


def test_tokens_of_gpt2_that_it_has_not_have_no_probability(tmp_path):
    _, tensors = folders.make(tmp_path / "hf", "gpt2")
    config, params, codec = hf.read(tmp_path / "hf")
    assert config.model.banned_tokens == (PAD, UNK, BOS, MASK)
    table = params["network"]["embedding"]["tokens"]
    np.testing.assert_array_equal(table[BOS], tensors["transformer.wte.weight"][260])
    assert not table[[PAD, UNK, MASK]].any() and codec.vocab_size == 265


@pytest.mark.parametrize("chunk", [0, 3])
def test_the_softmax_is_over_the_tokens_of_the_folder_alone(chunk, tmp_path):
    settings, tensors = folders.make(tmp_path / "hf", "gpt2")
    config, params, codec = hf.read(tmp_path / "hf")
    config.loss.logits_chunk = chunk
    spec = DataSpec("text", (13,), vocab_size=codec.vocab_size)
    family = families.build(config, spec, 1)
    state = new_state(jax.random.key(0), params=params, opt_state={})
    x_BxT = moved(IDS_BxT, (-1, -1, -1, 260, -1)).astype(np.int32)
    found = np.asarray(jax.jit(family.score)(state, x_BxT))
    for b in range(2):
        logits = reference.gpt2(tensors, settings, IDS_BxT[b, :-1])
        wanted = logsumexp(logits, -1) - logits[np.arange(6), IDS_BxT[b, 1:]]
        np.testing.assert_allclose(found[b], wanted, atol=1e-4)

    def mean(params):
        return family.score(state.replace(params=params), x_BxT).mean()

    gradient = jax.jit(jax.grad(mean))(params)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))
    assert not np.any(gradient["network"]["embedding"]["tokens"][np.array([PAD, UNK, MASK])])


def test_tokenizers_say_what_the_folders_say_under_our_ids(tmp_path):
    folders.make(tmp_path / "gpt2", "gpt2")
    folders.make(tmp_path / "bert", "bert")
    text = "the cat sat, überall <|endoftext|>"
    codec, theirs = hf.read(tmp_path / "gpt2").codec, folders.gpt2_tokenizer()
    theirs.encode_special_tokens = True
    assert codec.encode(text) == [i + 5 for i in theirs.encode(text).ids]
    assert codec.decode([BOS, *codec.encode(text), EOS, PAD]) == text
    assert codec.tokens[0] == theirs.id_to_token(0)

    codec = hf.read(tmp_path / "bert").codec
    assert codec.tokens[:3] == ["[unused0]", "the", "cat"]
    ids = codec.encode("The CATS sat [MASK] zebra")
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *codec.tokens]
    assert [names[i] for i in ids] == ["the", "cat", "##s", "sat", "[", "mask", "]", "[UNK]"]
    assert codec.decode([BOS, *ids[:4], MASK, EOS]) == "the cats sat [MASK]"


def test_pieces_within_a_word_are_told_from_those_that_begin_one(tmp_path):
    from genjax.data.text.tokenizers import word_parts

    folders.make(tmp_path / "bert", "bert")
    codec = hf.read(tmp_path / "bert").codec
    parts = dict(zip(codec.tokens, word_parts(codec)[5:]))
    assert (parts["cat"], parts["##s"]) == (2, 3)


# Files.


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_shards_and_half_precision_are_read(kind, tmp_path):
    folders.make(tmp_path / "hf", kind)
    whole = hf.read(tmp_path / "hf").params
    file = tmp_path / "hf" / "model.safetensors"
    tensors, weight_map = load_file(file), {}
    for i, dtype in enumerate((np.float16, ml_dtypes.bfloat16)):
        part = {n: x.astype(dtype) for n, x in tensors.items() if len(n) % 2 == i}
        _save(tmp_path / "hf" / f"model-{i}.safetensors", part)
        weight_map |= dict.fromkeys(part, f"model-{i}.safetensors")
    (tmp_path / "hf" / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map})
    )
    file.unlink()
    halves = hf.read(tmp_path / "hf").params
    _assert_close(halves, whole, rtol=1e-2, atol=1e-3)
    assert all(x.dtype == np.float32 for x in _leaves(halves).values())
    (tmp_path / "hf" / "model-1.safetensors").unlink()
    _refused(tmp_path / "hf", "model-1.safetensors: cannot be read")


def test_old_names_copies_and_masks_change_nothing(tmp_path):
    for kind in ("gpt2", "bert"):
        folders.make(tmp_path / kind, kind)
    before = {kind: hf.read(tmp_path / kind).params for kind in ("gpt2", "bert")}
    file = tmp_path / "gpt2/model.safetensors"
    tensors = {n.removeprefix("transformer."): x for n, x in load_file(file).items()}
    tensors |= {"h.0.attn.bias": np.ones((1, 1, 12, 12), np.uint8)}
    tensors |= {"lm_head.weight": tensors["wte.weight"]}
    save_file(tensors, file)

    file = tmp_path / "bert/model.safetensors"
    old = {"weight": "gamma", "bias": "beta"}
    tensors = {
        re.sub(r"LayerNorm\.(\w+)", lambda m: f"LayerNorm.{old[m[1]]}", n): x
        for n, x in load_file(file).items()
    }
    tensors["bert.embeddings.position_ids"] = np.arange(12)[None]
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"]
    tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"]
    save_file(tensors, file)
    for kind, params in before.items():
        _assert_close(hf.read(tmp_path / kind).params, params, rtol=0, atol=0)


# Mistakes.


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        ("gpt2", "model_type", "llama", "model_type='llama': must be one of gpt2, bert"),
        ("gpt2", "activation_function", "mish", "activation_function='mish': must be one of gelu"),
        ("gpt2", "scale_attn_weights", False, "scale_attn_weights=False: genjax's GPT has True"),
        ("gpt2", "n_layer", "2", "n_layer='2': must be a whole number"),
        ("gpt2", "tie_word_embeddings", "false", "='false': must be true or false"),
        ("gpt2", "n_embd", 16, r"wte.weight is \(261, 8\).* needs \(261, 16\)"),
        ("gpt2", "n_layer", 3, "has no transformer.h.2.ln_1.weight; GPT2LMHeadModel needs it"),
        ("gpt2", "n_layer", 1, "has transformer.h.1.attn.* no such tensor"),
        ("gpt2", "n_head", 3, "model.num_heads=3: must divide model.width=8"),
        ("gpt2", "vocab_size", 300, "vocab_size=300: tokenizer.json has 261 tokens"),
        ("bert", "position_embedding_type", "relative_key", "BERT has 'absolute' only"),
        ("bert", "type_vocab_size", 3, "type_vocab_size=3: genjax's BERT has 2 only"),
        ("bert", "hidden_act", 7, "hidden_act=7: must be one of gelu, gelu_new"),
        ("bert", "intermediate_size", 21, r"intermediate.dense.weight is \(20, 8\).*\(21, 8\)"),
    ],
)
def test_other_architectures_are_told(kind, field, value, message, tmp_path):
    config, _ = folders.make(tmp_path / "hf", kind)
    (tmp_path / "hf/config.json").write_text(json.dumps(config | {field: value}))
    _refused(tmp_path / "hf", message)


def test_broken_files_are_told(tmp_path):
    folder = tmp_path / "hf"
    _refused(folder, "no such folder")
    _, tensors = folders.make(folder, "bert")
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-5])
    _refused(folder, r"model.safetensors: cannot be read \(")
    file.write_bytes(content[:4])
    _refused(folder, "model.safetensors: cannot be read")
    file.unlink()
    _refused(folder, "has neither model.safetensors nor model.safetensors.index.json")
    headless = {name: x for name, x in tensors.items() if name != "cls.predictions.bias"}
    save_file(headless, file)
    _refused(folder, "has no cls.predictions.bias")
    save_file(tensors | {"classifier.weight": np.zeros((2, 8), np.float32)}, file)
    _refused(folder, "has classifier.weight.*no such tensor")
    save_file(tensors | {"cls.predictions.decoder.weight": np.zeros((18, 8), np.float32)}, file)
    _refused(folder, "decoder.weight is not bert.embeddings.word_embeddings.weight")
    save_file(tensors | {"cls.predictions.bias": np.zeros(18, np.int32)}, file)
    _refused(folder, "cls.predictions.bias is int32; must be of floating-point")
    file.write_bytes(content)
    message = json.loads((folder / "tokenizer.json").read_text())
    message["model"]["vocab"]["the"] = 99
    (folder / "tokenizer.json").write_text(json.dumps(message))
    _refused(folder, "tokenizer.json: must number its 18 tokens")
    (folder / "tokenizer.json").write_text("{}")
    _refused(folder, "tokenizer.json: is not the JSON of a tokenizer")
    folders.gpt2_tokenizer().save(str(folder / "tokenizer.json"))
    _refused(folder, "tokenizer.json: has no <pad> under any name that is known")
    (folder / "config.json").write_text("{")
    _refused(folder, "config.json: cannot be read")


def _refused(folder, message):
    with pytest.raises(ConfigError, match=message) as error:
        hf.read(folder)
    assert "\n" not in str(error.value)


def _save(path, tensors):
    """By hand, as the format is: NumPy knows no bfloat16."""
    header, data = {}, b""
    for name, x in tensors.items():
        end = len(data) + x.nbytes
        kind = {"float16": "F16", "bfloat16": "BF16"}[str(x.dtype)]
        header[name] = {"dtype": kind, "shape": x.shape, "data_offsets": [len(data), end]}
        data += x.tobytes()
    message = json.dumps(header).encode()
    path.write_bytes(len(message).to_bytes(8, "little") + message + data)


def _leaves(params):
    from flax.traverse_util import flatten_dict

    return flatten_dict(params, sep=".")


def _assert_close(a, b, **tolerance):
    a, b = _leaves(a), _leaves(b)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], err_msg=name, **tolerance)
