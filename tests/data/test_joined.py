"""A text read in pieces has the tokens of the text as a whole."""

import itertools
import json
from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from genjax.core import fields
from genjax.core.config import TextData
from genjax.data.text import joined, loading, tokenizers, vocabulary
from genjax.hf.vocabulary import renumbered as vocabulary_of
from tests.hf import folders

TEXT = topics["typesmapping"] + "\n\n\n    x = 'y'\t\n  \n" + topics["with"]
CHINESE = "我喜欢吃苹果也喜欢喝茶。" * 200 + "天地玄黄宇宙洪荒日月盈昃" * 200


@pytest.fixture(scope="module")
def codecs():
    """Imported ones of GPT-2 and BERT, and ours."""
    found = {}
    for kind in ("gpt2", "bert"):
        tokenizer = folders.bert_tokenizer()
        if kind == "gpt2":
            tokenizer = folders.gpt2_tokenizer([TEXT], 600)
        model = vocabulary_of(json.loads(tokenizer.to_str()), kind).model
        found[kind] = tokenizers.Stored(model)
    for name in ("bpe", "unigram"):
        section = fields.section(TextData, tokenizer=name, vocab_size=600)
        found[name] = tokenizers.train(section, [TEXT])
    return found


def tokens(codec, pieces, size=40):
    parts = list(joined.parts(pieces, codec, size))
    assert "".join(parts) == "".join(pieces)
    return list(itertools.chain(*(ids.tolist() for ids in codec.encode_all(parts)))), len(parts)


@pytest.mark.parametrize("name", ["gpt2", "bert", "bpe", "unigram"])
@pytest.mark.parametrize("written", [TEXT, CHINESE], ids=["English", "Chinese"])
def test_parts_have_the_tokens_of_the_whole(name, written, codecs):
    codec = codecs[name]
    lines = written.splitlines(keepends=True)
    for pieces in (lines, [written], [written[i : i + 7] for i in range(0, len(written), 7)]):
        found, several = tokens(codec, pieces)
        assert found == codec.encode(written)
        assert several > len(written) / 700 or (name, written) == ("bert", CHINESE)
    by_line = list(itertools.chain(*map(codec.encode, lines)))
    assert (by_line == found) == (name == "bert" or written == CHINESE)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(st.sampled_from("ab'. \n\t猫e\u0301"), max_size=30), max_size=40))
def test_any_pieces_have_the_tokens_of_the_whole(codecs, pieces):
    pieces = [*pieces, " and so on\n" * 30, *pieces]
    found, _ = tokens(codecs["gpt2"], pieces)
    assert found == codecs["gpt2"].encode("".join(pieces))


def test_a_text_that_a_tokenizer_parts_nowhere_stays_whole():
    tokenizer = Tokenizer(models.WordLevel({f"{i}": i for i in range(5)}, unk_token="1"))
    tokenizer.normalizer = normalizers.Prepend("_")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    codec = tokenizers.Stored(json.loads(tokenizer.to_str()))
    written = "the cat sat. " * 100
    assert list(joined.parts([written] * 3, codec, 40)) == [written * 3]


def test_data_are_encoded_as_a_whole_and_by_line_in_runs_from_before(codecs, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT * 9)
    files = {"name": f"text:{tmp_path / 'text.txt'}", "test": f"{tmp_path / 'text.txt'}"}
    files["cache_dir"] = str(tmp_path / "cache")
    section = fields.section(TextData, **files, tokenizer=tokenizers.STORED, length=9)
    codec = codecs["gpt2"]
    old = tokenizers.from_json({k: v for k, v in codec.to_json().items() if k != "rules"})
    lines = [codec.encode(line) for line in (TEXT * 9).splitlines(keepends=True)]
    for of, wanted in ((codec, codec.encode(TEXT * 9)), (old, [i for ids in lines for i in ids])):
        folder = tmp_path / f"{of.rules}"
        vocabulary.write(vocabulary.Vocabulary(of), "text", folder)
        found = np.asarray(loading.load(section, folder).train.arrays["x"])
        assert found[: len(found) - 9].tolist() == wanted  # padded by a window
    assert len(wanted) > len(codec.encode(TEXT * 9))
