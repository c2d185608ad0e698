"""What is written is the model: bit for bit here, the same logits and tokens elsewhere."""

import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from genjax import families, hf
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.tokens import BOS, EOS
from genjax.data.text import tokenizers
from genjax.hf import Pretrained
from tests.hf import folders, ours, reference

TEXTS = ["the cat sat on the mat, and it's there.\n", "Ein Füchslein läuft über den Weg."]


def model(family, tokenizer="char", texts=TEXTS, **fields):
    """A small random model as a run has it."""
    config = families.default_config(family)
    c = {"model.width": 16, "model.num_layers": 3, "model.num_heads": 2, "data.length": 10}
    c |= {"data.tokenizer": tokenizer, "data.min_count": 1, "data.vocab_size": 290}
    config.update_from_flattened_dict(c | fields)
    codec = tokenizers.train(config.data, texts)
    spec = DataSpec("text", (config.data.length + 1,), vocab_size=codec.vocab_size)
    if config.data.kind == "sentence":
        spec = DataSpec("sentence", (config.data.length,), vocab_size=codec.vocab_size)
    shapes = jax.eval_shape(families.build(config, spec, 1).init, jax.random.key(0)).params
    rng = np.random.default_rng(0)

    def leaf(path, x):
        return np.asarray((path[-1].key == "scale") + 0.3 * rng.normal(size=x.shape), x.dtype)

    return Pretrained(config, jax.tree_util.tree_map_with_path(leaf, shapes), codec)


WHOLE = {
    "gpt": {"model.bias": True},
    "gpt, untied": {
        "model.bias": True,
        "model.tie_embeddings": False,
        "model.activation": "gelu_tanh",
    },
    "bert": {},
    "bert, pairs": {"loss.next_sentence": True, "model.norm_epsilon": 1e-12},
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("tokenizer", ["char", "bpe"])
def test_written_and_read_it_is_the_same_bit_for_bit(name, tokenizer, tmp_path):
    before = model(name.partition(",")[0], tokenizer, **WHOLE[name])
    hf.write(tmp_path / "out", before)
    after = hf.read(tmp_path / "out")
    assert jax.tree.structure(after.params) == jax.tree.structure(before.params)
    for a, b in zip(jax.tree.leaves(after.params), jax.tree.leaves(before.params)):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()
    for section in ("model", "loss"):
        message = before.config[section].to_dict() | {"mlp_dim": 64} | {"scan": True}
        kept = after.config[section].to_dict() | {"scan": True}
        assert {n: v for n, v in message.items() if n in kept} == kept
    assert after.config.data.length == before.config.data.length
    assert after.codec.tokens == before.codec.tokens


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu"])
def test_a_written_gpt_gives_the_same_logits(activation, tmp_path):
    before = model("gpt", **{"model.activation": activation})  # without biases: zeros are written
    hf.write(tmp_path / "out", before)
    tensors, config = _content(tmp_path / "out")
    ids = np.array([BOS, 7, 12, 9, EOS, 5])
    wanted = reference.gpt2(tensors, config, ids)
    np.testing.assert_allclose(ours.gpt_logits(before, ids[None])[0], wanted, atol=1e-4)


def test_a_written_bert_gives_the_same_logits(tmp_path):
    before = model("bert", **{"loss.next_sentence": True})
    hf.write(tmp_path / "out", before)
    tensors, config = _content(tmp_path / "out")
    ids, types = np.array([BOS, 7, 12, EOS, 9, EOS]), np.array([0, 0, 0, 0, 1, 1])
    found, follows = ours.bert_logits(before, ids[None], types[None])
    wanted, pair = reference.bert(tensors, config, ids, types)
    np.testing.assert_allclose(found[0], wanted, atol=1e-4)
    np.testing.assert_allclose(follows[0], pair[0] - pair[1], atol=1e-4)
    assert pair[1] == 0


def test_what_was_read_is_written_with_our_ids(tmp_path):
    folders.make(tmp_path / "hf", "gpt2")
    before = hf.read(tmp_path / "hf")
    hf.write(tmp_path / "out", before)
    after = hf.read(tmp_path / "out")
    assert after.config.model.banned_tokens == ()  # they have rows now
    assert all(map(np.array_equal, *map(jax.tree.leaves, (before.params, after.params))))
    assert after.codec.tokens == before.codec.tokens
    message = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert message["suppress_tokens"] == [0, 1, 2, 4]


# Tokenizers.


@pytest.mark.parametrize("name", ["char", "word", "bpe", "unigram"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_the_library_has_the_same_tokens(name, lowercase, tmp_path):
    before = model("gpt", name, TEXTS * 3, **{"data.lowercase": lowercase})
    hf.write(tmp_path / "out", before)
    theirs = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert theirs.get_vocab_size() == before.codec.vocab_size
    for text in (*TEXTS, "The  unseen, ünseen Z!\n\n"):
        assert theirs.encode(text).ids == before.codec.encode(text)
    text = TEXTS[0].lower()
    decoded = theirs.decode(before.codec.encode(text))
    assert decoded == before.codec.decode(before.codec.encode(text))
    assert [theirs.id_to_token(i) for i in range(3)] == ["<pad>", "<unk>", "<bos>"]


@pytest.mark.parametrize(
    ("family", "kind", "around"),
    [
        ("gpt", "text", ""),
        ("gpt", "sentence", "B"),
        ("bert", "text", "B"),
        ("bert", "sentence", "BE"),
    ],
)
def test_texts_are_given_what_the_model_has_learned_around_them(family, kind, around, tmp_path):
    before = model(family, **{"data.kind": kind})
    hf.write(tmp_path / "out", before)
    theirs = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    cat = before.codec.encode("cat")
    wanted = [BOS] * ("B" in around) + cat + [EOS] * ("E" in around)
    assert theirs.encode("cat").ids == wanted
    if around:
        pair = theirs.encode("cat", "a")
        assert pair.ids == [BOS, *cat, EOS, *before.codec.encode("a"), EOS]
        assert pair.type_ids == [0] * 5 + [1] * 2


# Mistakes.


@pytest.mark.parametrize(
    ("family", "field", "value", "message"),
    [
        ("gpt", "norm", "rms", "model.norm='rms': GPT-2 has norm=layer"),
        ("gpt", "positions", "rotary", "model.positions='rotary': GPT-2 has positions=learned"),
        ("gpt", "activation", "swiglu", "model.activation='swiglu': GPT-2 has one of gelu, "),
        ("gpt", "num_kv_heads", 1, "model.num_kv_heads=1: GPT-2 has keys for every head"),
        ("gpt", "norm_first", False, "model.norm_first=False: GPT-2 has its norms first"),
        ("bert", "norm_first", True, "model.norm_first=True: BERT has its norms behind"),
        ("bert", "positions", "none", "model.positions='none': BERT has positions=learned"),
    ],
)
def test_what_neither_can_be_is_told_and_nothing_written(family, field, value, message, tmp_path):
    config, params, codec = model(family)
    config.model[field] = value
    with pytest.raises(ConfigError, match=message):
        hf.write(tmp_path / "out", Pretrained(config, params, codec))
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    before = model("gpt")
    (tmp_path / "out").mkdir()
    hf.write(tmp_path / "out", before)
    content = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(ConfigError, match=r"--out=.*out: is there already"):
        hf.write(tmp_path / "out", model("bert"))
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == content
    assert len(content) == 5


def _content(folder):
    config = json.loads((folder / "config.json").read_text())
    return load_file(folder / "model.safetensors"), config
