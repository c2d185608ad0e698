"""Passages hold each token of a text once, and tell how often each occurs."""

import jax
import numpy as np
import pytest

from genjax import data
from genjax.core import fields
from genjax.core.config import ConfigError
from genjax.core.random import data_key
from genjax.core.tokens import EOS, NUM_SPECIALS, PAD
from genjax.data.text.passages import padded
from genjax.families.word2vec import PhraseData


def section(tmp_path, **changes):
    found = fields.section(PhraseData, kind="passage", tokenizer="word", length=32)
    found.update({"cache_dir": str(tmp_path / "cache")} | changes)
    return found


def rows(source):
    plan = source.evaluation(8)
    if source.streamed:
        batches = [source.fetch({}, x) for x in plan]
    else:
        n = len(plan["mask"])
        elements = ({k: v[i] for k, v in plan.items()} for i in range(n))
        batches = [source.fetch(source.arrays, x) for x in elements]
    return np.concatenate([np.asarray(b["x"])[np.asarray(b["mask"]) > 0] for b in batches])


def test_each_token_stands_in_one_passage(tmp_path):
    text = tmp_path / "text.txt"
    lines = [" ".join(f"w{(i * j) % 17}" for j in range(i % 9 + 1)) for i in range(200)]
    text.write_text("\n".join(lines))
    found = data.load(section(tmp_path, name=f"text:{text}"))
    assert found.spec.kind == "passage" and found.spec.shape == (32,)
    tokens = rows(found.train).reshape(-1)
    assert (found.train.num_examples - 1) * 32 < (tokens != PAD).sum() <= len(tokens)
    counts = np.bincount(tokens[tokens != PAD], minlength=found.spec.vocab_size)
    assert found.spec.token_counts == tuple(counts.tolist())
    assert counts[NUM_SPECIALS:].sum() > 0 and counts[EOS] > 100
    assert found.codec.decode(tokens[:9]).startswith("w0")


def test_streamed_passages_are_the_resident_ones(tmp_path):
    resident = data.load(section(tmp_path)).train
    streamed = data.load(section(tmp_path, device_limit_mb=0)).train
    assert streamed.streamed and not resident.streamed
    assert streamed.num_examples == resident.num_examples
    np.testing.assert_array_equal(rows(streamed), rows(resident))


def test_an_epoch_holds_every_passage_once(tmp_path):
    source = data.load(section(tmp_path)).train
    n = source.num_examples
    key = data_key(jax.random.key(0))
    index = source.plan(key, source.cursor(0, (n,)), 1, (n,))
    assert sorted(np.asarray(index[0]).tolist()) == list(range(n))


def test_the_last_passage_is_padded():
    got = padded(np.arange(1, 8, dtype=np.uint16), 3)
    np.testing.assert_array_equal(got, [[1, 2, 3], [4, 5, 6], [7, PAD, PAD]])
    assert got.dtype == np.uint16 and padded(np.arange(6), 3).shape == (2, 3)


def test_phrases_become_words_and_are_kept_with_the_vocabulary(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"w{i % 30} new york, w{i % 29}" for i in range(60)))
    fields = {"phrases": 1, "phrase_threshold": 0.1, "min_count": 2}
    found = data.load(section(tmp_path, name=f"text:{text}", **fields))
    assert "new_york" in found.codec.tokens and "york_," not in found.codec.tokens
    assert found.codec.decode(found.codec.encode("w3 new york")) == "w3 new_york"
    data.save(found, tmp_path / "saved")
    again = data.load(section(tmp_path, name=f"text:{text}", **fields), tmp_path / "saved")
    assert again.codec.encode("w3 new york") == found.codec.encode("w3 new york")
    with pytest.raises(ConfigError, match=r"data.phrases=1: are of words"):
        data.load(section(tmp_path, name=f"text:{text}", **fields, tokenizer="char"))
