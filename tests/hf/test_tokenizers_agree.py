"""Exported tokenizers give the ids that ours give, for any Unicode text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from genjax.core.config import TextData
from genjax.core.fields import section
from genjax.core.tokens import SPECIALS, UNK
from genjax.data.text import tokenizers, words
from genjax.hf.vocabulary import tokenizer_json

CORPUS = [
    "The cat's mat, it's THERE.\n",
    "हिन्दी और தமிழ் कि की का\n",
    "cafe\u0301 café naïve Å A\u030a ﬁ ß ẞ\n",
    "ΟΔΟΣ οδος Σίσυφος σ ς\n",
    "İstanbul ISPARTA ıi DŽ Dž\n",
    "猫は マットの 上に 你好。ไทย\n",
    "🐈 👩\u200d🚀 ❤\ufe0f 🇩🇪 𝔘𝔫𝔦 𐐀𐐨\n",
    "می\u200cخواهم 1½ x² ①\n",
    "a\r\n\tb\x85c\u2028d\x1ce\x00f\n\n\n",
] * 2
MANY = settings(deadline=None, max_examples=60)
TEXTS = (
    st.text()  # no surrogates: UTF-8 has none
    | st.text("".join(CORPUS[:9]))
    | st.text("aΣσςİI\u0307\u0301\u200d\u200c'_- \n\x1c्ि", max_size=12)
    | st.lists(st.sampled_from([*"".join(CORPUS).split(" "), *SPECIALS, " "])).map("".join)
)


def trained(name, rules=2, texts=CORPUS, **changes):
    size = {"vocab_size": 420} if name in ("bpe", "unigram") else {}
    data = section(TextData, tokenizer=name, **size | changes)
    message = tokenizers.train(data, texts).to_json()
    return tokenizers.from_json(message | {"rules": rules})


def exported(codec, folder):
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(tokenizer_json(codec, ""), ensure_ascii=False), encoding="utf-8")
    theirs = Tokenizer.from_file(str(path))
    theirs.encode_special_tokens = True  # "<eos>" in a text is five characters, not its end
    return theirs


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("name", tokenizers.TOKENIZERS)
def test_an_exported_tokenizer_gives_the_same_ids_on_any_text(name, lowercase, tmp_path):
    codec = trained(name, lowercase=lowercase)
    theirs = exported(codec, tmp_path)

    @MANY
    @given(TEXTS)
    def check(text):
        ids = codec.encode(text)
        assert theirs.encode(text, add_special_tokens=False).ids == ids
        if name in ("bpe", "unigram") and not lowercase:
            assert codec.decode(ids) == theirs.decode(ids, skip_special_tokens=False) == text
        elif name == "word":
            assert codec.encode(codec.decode([i for i in ids if i != UNK])) == [
                i for i in ids if i != UNK
            ]

    check()
    assert UNK not in codec.encode(CORPUS[0])


@MANY
@given(TEXTS, st.booleans())
def test_words_of_ascii_are_what_the_library_would_say(text, punctuation):
    text = text.encode("ascii", "ignore").decode()
    found = words.words(text, False, punctuation)
    assert found == words.pieces(words.PATTERNS[words.RULES, punctuation], text)
    assert words.lower(text) == words._lowercase().normalize_str(text)


@pytest.mark.parametrize("text", ["हिन्दी", "தமிழ்", "cafe\u0301", "می\u200cخواهم", "❤\ufe0f"])
def test_marks_and_joiners_belong_to_the_word_that_they_stand_in(text):
    for lowercase in (False, True):
        codec = trained("word", texts=[f"x {text} y"], lowercase=lowercase)
        assert len(codec.encode(text)) == 1 and codec.decode(codec.encode(text)) == text


def test_words_that_differ_in_vowel_signs_are_different_words():
    codec = trained("word", texts=["कि की"])
    assert len(codec.encode("कि की")) == 2 and len(set(codec.encode("कि की"))) == 2
    assert codec.encode("क") == [UNK]


def test_case_is_that_of_each_character_by_itself():
    for name in ("char", "bpe"):
        codec = trained(name, lowercase=True)
        assert codec.decode(codec.encode("İSTANBUL ΟΔΟΣ")) == "i\u0307stanbul οδοσ"


@pytest.mark.parametrize("lowercase", [False, True])
def test_a_vocabulary_from_before_goes_on_as_it_did(lowercase, tmp_path):
    message = {"tokenizer": "word", "lowercase": lowercase, "punctuation": True, "phrases": []}
    message["tokens"] = ["ह", "ि", "न", "्", "द", "ी", "οδος", "ΟΔΟΣ", "οδοσ", "½x", "b"]
    old = tokenizers.from_json(message)
    assert old.to_json() == message  # and so is the cache of what it encoded
    ids = dict(zip(old.tokens, range(5, 99)))
    text = "हिन्दी ΟΔΟΣ ½x\x1cb"
    road = "οδος" if lowercase else "ΟΔΟΣ"
    assert old.encode(text) == [ids[w] for w in ["ह", "ि", "न", "्", "द", "ी", road, "½x", "b"]]
    assert exported(old, tmp_path).encode(text).ids == old.encode(text)
