"""Bits a character and byte are of the text as it is written."""

import numpy as np
import pytest

from genjax.core import fields
from genjax.core.config import TextData
from genjax.core.tokens import PAD
from genjax.data.source import rows
from genjax.data.text import loading
from genjax.evaluation.text.scores import _bits


def sizes(folder, test, **changes):
    """The characters and bytes that bits are counted for, and what is said of them."""
    (folder / "train.txt").write_text("abc the cat ß\n" * 40, encoding="utf-8")
    (folder / "test.txt").write_text(test, encoding="utf-8")
    files = {"name": f"text:{folder / 'train.txt'}", "test": f"{folder / 'test.txt'}"}
    files["cache_dir"] = f"{folder / 'cache'}"
    section = fields.section(TextData, **files, length=8, **changes)
    dataset = loading.load(section)
    predicted = sum((batch["x"] != PAD).sum() - len(batch["x"]) for batch in rows(dataset.test, 9))
    loss = np.log(2) / predicted  # a bit in all
    scores, hold_for = _bits(dataset, np.asarray(loss), loading.read(section, "test"))
    return 1 / scores["bits_per_character"], 1 / scores["bits_per_byte"], hold_for


def test_unknown_characters_count_with_their_own_bytes(tmp_path):
    written = "the é cat 漢字 🐈\n"
    characters, size, hold_for = sizes(tmp_path, written)
    assert characters == pytest.approx(len(written) - 1)
    assert size == pytest.approx(len(written.encode()) - 1)
    share = 100 * 4 / (len(written) - 1)
    assert f"{share:.3g} % of its tokens are unknown" in hold_for["bits_per_byte"]


@pytest.mark.parametrize("first", ["漢", "ß", "t"])
def test_the_first_character_is_not_predicted(first, tmp_path):
    written = f"{first}he cat\n"
    characters, size, _ = sizes(tmp_path, written)
    assert (characters, size) == pytest.approx((8 - 1 + len(first) - 1, 8 - 1))


def test_subwords_count_the_text_that_they_are(tmp_path):
    written = "the é cat 漢字 🐈\n\nthe\n"
    characters, size, hold_for = sizes(tmp_path, written, tokenizer="bpe", vocab_size=280)
    assert characters == pytest.approx(len(written) - 3)  # "the" is one token
    assert size == pytest.approx(len(written.encode()) - 3)
    assert "0 % of its tokens" in hold_for["bits_per_byte"]


def test_small_letters_count_where_the_model_reads_no_others(tmp_path):
    _, size, _ = sizes(tmp_path, "THE İ\n", lowercase=True)
    assert size == pytest.approx(len("the i\u0307\n".encode()) - 1)
