"""Folders that say their special tokens by id, with padded vocabularies, without a head."""

import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from genjax import hf
from genjax.core.config import ConfigError
from genjax.core.tokens import BOS, EOS, MASK, NUM_SPECIALS, PAD, UNK
from tests.hf import folders, ours, reference
from tests.hf.test_reading import IDS_BxT, PIECES_BxT, TYPES_BxT, moved


def rows_of(pretrained):
    return pretrained.params["network"]["embedding"]["tokens"]


def record(folder, file, **fields):
    path = folder / file
    found = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({k: v for k, v in (found | fields).items() if v != "absent"}))


ADDED = ("<|end|>", "<|begin|>", "<|fill|>")  # ids 261, 262, 263


@pytest.mark.parametrize(
    ("config", "generation", "eos", "message"),
    [
        ({"eos_token_id": 261}, {}, 261, ""),
        ({"eos_token_id": "absent"}, {"eos_token_id": 261}, 261, ""),
        ({"eos_token_id": None}, {"eos_token_id": [261]}, 261, ""),
        ({"eos_token_id": [261, 260]}, {}, 261, "eos_token_id=261, 260: the first"),
        ({"eos_token_id": 261}, {"eos_token_id": [261, 260]}, 261, "eos_token_id=261, 260"),
        ({"eos_token_id": "absent"}, {}, 260, ""),  # by the name that GPT-2 has
        ({"eos_token_id": 50256}, {}, 260, "eos_token_id=50256: is none of tokenizer.json's 264"),
        ({"eos_token_id": 10}, {}, 260, "eos_token_id=10: is '+', which texts consist of"),
    ],
)
def test_eos_is_found_by_its_id(config, generation, eos, message, tmp_path, caplog):
    _, tensors = _made(tmp_path)
    record(tmp_path, "config.json", bos_token_id=None, **config)
    if generation:
        record(tmp_path, "generation_config.json", **generation)
    found = hf.read(tmp_path)
    table = tensors["transformer.wte.weight"]
    np.testing.assert_array_equal(rows_of(found)[EOS], table[eos])
    other = 260 if eos == 261 else 261
    at = NUM_SPECIALS + found.codec.tokens.index("<|endoftext|>" if eos == 261 else "<|end|>")
    np.testing.assert_array_equal(rows_of(found)[at], table[other])
    assert message in caplog.text and bool(message) == ("warning" in caplog.text)
    text = "the cat + <|end|> <|endoftext|>"  # characters, no special tokens
    assert found.codec.decode(found.codec.encode(text)) == text


def _made(folder):
    folder.rmdir()
    return folders.make(folder, "gpt2", ADDED)


def test_other_special_tokens_are_found_by_id_or_by_the_tokenizers_own_names(tmp_path):
    _, tensors = _made(tmp_path)
    record(tmp_path, "config.json", eos_token_id=261, bos_token_id=262, pad_token_id=261)
    record(tmp_path, "tokenizer_config.json", mask_token={"content": "<|fill|>"}, pad_token="<x>")
    found, table = hf.read(tmp_path), tensors["transformer.wte.weight"]
    for ours_, theirs in ((EOS, 261), (BOS, 262), (MASK, 263)):
        np.testing.assert_array_equal(rows_of(found)[ours_], table[theirs])
    assert found.config.model.banned_tokens == (PAD, UNK)  # a pad that is the end is no token


def test_bert_with_names_of_its_own(tmp_path):
    _, tensors = folders.make(tmp_path / "hf", "bert")
    file, names = tmp_path / "hf/tokenizer.json", {"[CLS]": "<s>", "[SEP]": "</s>", "[PAD]": "<0>"}
    message = file.read_text()
    for name, other in names.items():
        message = message.replace(json.dumps(name), json.dumps(other))
    file.write_text(message)
    with pytest.raises(ConfigError, match="has no <bos> under any name that is known"):
        hf.read(tmp_path / "hf")
    record(tmp_path / "hf", "special_tokens_map.json", cls_token="<s>", sep_token="</s>")
    embedding = hf.read(tmp_path / "hf").params["encoder"]["embedding"]["tokens"]
    table = tensors["bert.embeddings.word_embeddings.weight"]
    np.testing.assert_array_equal(embedding[[PAD, UNK, BOS, EOS, MASK]], table[[0, 2, 3, 4, 5]])


@pytest.mark.parametrize(
    ("file", "fields", "message"),
    [
        ("config.json", {"eos_token_id": "2"}, "config.json: eos_token_id=2: must be the id"),
        ("config.json", {"eos_token_id": [True]}, "eos_token_id=.True.: must be the id of a token"),
        ("tokenizer_config.json", {"eos_token": 7}, "eos_token: must be a token's name"),
        ("generation_config.json", {"eos_token_id": 1.5}, "eos_token_id=1.5: must be the id"),
    ],
)
def test_what_is_no_id_is_told(file, fields, message, tmp_path):
    folders.make(tmp_path / "hf", "gpt2", eos_token_id=None)
    record(tmp_path / "hf", file, **fields)
    with pytest.raises(ConfigError, match=message):
        hf.read(tmp_path / "hf")


def test_a_folder_without_an_end_is_refused_with_the_id_that_it_gave(tmp_path):
    folders.make(tmp_path / "hf", "gpt2", eos_token_id=50256)
    file = tmp_path / "hf/tokenizer.json"
    file.write_text(file.read_text().replace("<|endoftext|>", "<|stop|>"))
    message = (
        "eos_token_id=50256: is none of tokenizer.json's 261 tokens.*has no <eos> under any name"
    )
    with pytest.raises(ConfigError, match=message) as error:
        hf.read(tmp_path / "hf")
    assert "\n" not in str(error.value)


# Padded vocabularies.


def test_rows_beyond_the_tokens_are_left_out_and_told(tmp_path, caplog):
    config, tensors = folders.make(tmp_path / "hf", "gpt2", rows=320)
    found = hf.read(tmp_path / "hf")
    assert found.codec.vocab_size == 265
    assert "59 rows beyond the 261 tokens of tokenizer.json are left out" in caplog.text
    logits = ours.gpt_logits(found, moved(IDS_BxT, (-1, -1, -1, 260, -1)))
    wanted = np.stack([reference.gpt2(tensors, config, ids) for ids in IDS_BxT])
    np.testing.assert_allclose(logits[..., 5:], wanted[..., :260], atol=1e-4)
    np.testing.assert_allclose(logits[..., EOS], wanted[..., 260], atol=1e-4)
    hf.write(tmp_path / "out", found)
    again = hf.read(tmp_path / "out")
    assert all(map(np.array_equal, *map(jax.tree.leaves, (found.params, again.params))))


def test_padded_bert_is_read_whatever_its_config_says(tmp_path):
    config, tensors = folders.make(tmp_path / "hf", "bert", rows=24)
    for size in (24, 18):  # 18: the padding was done to the weights alone
        record(tmp_path / "hf", "config.json", vocab_size=size)
        found, _ = ours.bert_logits(
            hf.read(tmp_path / "hf"), moved(PIECES_BxT, (0, 2, 3, 4, 5)), TYPES_BxT
        )
        wanted, _ = reference.bert(tensors, config, PIECES_BxT[0], TYPES_BxT[0])
        np.testing.assert_allclose(found[0, :, 6:], wanted[:, 6:18], atol=1e-4)


def test_tokens_without_rows_are_refused(tmp_path):
    folders.make(tmp_path / "hf", "gpt2")
    file = tmp_path / "hf/tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.add_special_tokens(["[PAD]"])
    tokenizer.save(str(file))
    with pytest.raises(ConfigError, match=r"vocab_size=261: tokenizer\.json has 262 tokens"):
        hf.read(tmp_path / "hf")


# Weights.


def test_bert_without_a_head_is_read_with_a_new_one(tmp_path, caplog):
    _, tensors = folders.make(tmp_path / "hf", "bert")
    file = tmp_path / "hf/model.safetensors"
    bare = {n.removeprefix("bert."): x for n, x in tensors.items() if not n.startswith("cls.")}
    save_file(bare, file)
    found = hf.read(tmp_path / "hf")
    assert "has no head of a masked language model; a new one says nothing" in caplog.text
    assert not found.config.loss.next_sentence
    save_file({n: x for n, x in tensors.items() if "seq_rel" not in n}, file)
    whole = hf.read(tmp_path / "hf")
    for a, b in zip(*(jax.tree.leaves(of.params["encoder"]) for of in (found, whole)), strict=True):
        np.testing.assert_array_equal(a, b)
    logits, _ = ours.bert_logits(found, moved(PIECES_BxT, (0, 2, 3, 4, 5)), TYPES_BxT)
    assert np.isfinite(logits).all()
    hf.write(tmp_path / "out", found)
    assert "cls.predictions.bias" in load_file(tmp_path / "out/model.safetensors")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_pickled_weights_are_refused_by_name_and_never_opened(name, tmp_path):
    folders.make(tmp_path / "hf", "gpt2")
    (tmp_path / "hf/model.safetensors").rename(tmp_path / "hf" / name)
    with pytest.raises(ConfigError, match=rf"{name} is not read \(a pickle.*save_pretrained"):
        hf.read(tmp_path / "hf")


def test_a_tokenizer_of_another_format_is_told(tmp_path):
    folders.make(tmp_path / "hf", "gpt2")
    (tmp_path / "hf/tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"has no tokenizer\.json; .*AutoTokenizer"):
        hf.read(tmp_path / "hf")
