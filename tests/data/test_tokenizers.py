"""Tokenizers: what comes back, what is kept, and that nothing becomes a special token."""

import json
from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.core import fields
from genjax.core.config import ConfigError, TextData
from genjax.core.tokens import BOS, EOS, MASK, NUM_SPECIALS, PAD, SPECIALS, UNK
from genjax.data.text import tokenizers

CORPUS = [
    "the cat sat on the mat.\n",
    "The dog's bone, the cat's mat!\n",
    "die Katze saß auf der Matte\n",
    "猫は マットの 上に\n",
    "🐈 on 🐕\n",
] * 3
MANY = settings(deadline=None, max_examples=150)
TEXTS = st.text() | st.sampled_from(SPECIALS) | st.text("the cat's mat\n\t 猫🐈", max_size=40)


def section(**changes):
    return fields.section(TextData, **changes)


def trained(name, texts=CORPUS, **changes):
    size = {"vocab_size": 300} if name in ("bpe", "unigram") else {}
    return tokenizers.train(section(tokenizer=name, **size | changes), texts)


@pytest.fixture(scope="module")
def codecs():
    return {name: trained(name) for name in tokenizers.TOKENIZERS}


@pytest.mark.parametrize("name", ["bpe", "unigram"])
def test_any_text_comes_back_from_subwords(name, codecs):
    codec = codecs[name]

    @MANY
    @given(TEXTS)
    def check(text):
        ids = codec.encode(text)
        assert codec.decode(ids) == text
        assert all(NUM_SPECIALS <= i < codec.vocab_size for i in ids)

    check()


@MANY
@given(TEXTS)
def test_known_characters_come_back_and_unknown_ones_are_marked(text):
    assert (codec := trained("char", [text])).decode(codec.encode(text)) == text
    some = tokenizers.Chars([c for c in sorted(set(text)) if c < "m"])
    ids = some.encode(text)
    assert len(ids) == len(text)
    assert some.decode(ids) == "".join(c if c < "m" else "\ufffd" for c in text)
    assert [i == UNK for i in ids] == [c >= "m" for c in text]


@MANY
@given(TEXTS, st.booleans())
def test_words_come_back_with_single_spaces(text, punctuation):
    codec = tokenizers.train(section(tokenizer="word"), [text], punctuation=punctuation)
    ids = codec.encode(text)
    again = codec.decode(ids)
    assert again.split(" ") == (tokenizers.words(text, False, punctuation) or [""])
    assert "".join(again.split()) == "".join(text.split())
    assert codec.encode(again) == ids
    assert UNK not in ids


def test_punctuation_is_words_of_its_own_and_unknown_words_show():
    codec = trained("word")
    assert (
        codec.decode(codec.encode("The dog's  bone,\nthe ox!")) == "The dog ' s bone , the <unk> !"
    )
    assert tokenizers.words("it's 5%", False, False) == ["it's", "5%"]


@pytest.mark.parametrize("name", tokenizers.TOKENIZERS)
def test_a_row_ends_at_its_first_eos(name, codecs):
    codec = codecs[name]
    ids = codec.encode("the cat")
    row = np.array([BOS, *ids, EOS, *codec.encode(" mat"), PAD])
    assert codec.decode(row) == "the cat"
    assert codec.decode([BOS, EOS, *ids]) == codec.decode([]) == codec.decode([PAD] * 3) == ""
    assert "<mask>" in codec.decode([MASK, *ids])


@pytest.mark.parametrize("name", tokenizers.TOKENIZERS)
def test_json_gives_the_same_tokens_again(name, codecs):
    again = tokenizers.from_json(json.loads(json.dumps(codecs[name].to_json())))
    text = "the 🐈, a mouse\n\nκαι"
    assert again.encode(text) == codecs[name].encode(text)
    assert again.tokens == codecs[name].tokens and again.vocab_size == codecs[name].vocab_size
    assert again.to_json() == codecs[name].to_json()


@pytest.mark.parametrize("name", tokenizers.TOKENIZERS)
def test_many_texts_at_once_are_encoded_as_one_by_one(name, codecs):
    texts = ["the cat", "", "Katze! 🐈", "\n"] * 300
    found = list(codecs[name].encode_all(texts))
    assert [ids.tolist() for ids in found] == [codecs[name].encode(t) for t in texts]
    assert all(ids.dtype == np.int32 for ids in found)


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("name", tokenizers.TOKENIZERS)
def test_half_a_surrogate_pair_is_an_unknown_character(name, lowercase):
    codec = trained(name, lowercase=lowercase)
    assert codec.encode("cat \udcff\ud800 é") == codec.encode("cat \ufffd\ufffd é")


@pytest.mark.parametrize("name", tokenizers.TOKENIZERS)
def test_lower_case(name):
    codec = trained(name, lowercase=True)
    text = "The Cat sat"
    assert codec.decode(codec.encode(text)) == text.lower()
    assert not any(
        token != token.lower() for token in codec.tokens if token.isascii() and name == "word"
    )


def test_the_most_frequent_get_tokens_in_order():
    codec = trained("word", ["b b b a a c c d"], vocab_size=NUM_SPECIALS + 3)
    assert codec.tokens == ["b", "a", "c"] and codec.vocab_size == NUM_SPECIALS + 3
    assert trained("word", ["b b b a a c"], min_count=2).tokens == ["b", "a"]
    assert trained("char", ["bbbaac"], min_count=2).tokens == ["b", "a"]


@pytest.mark.parametrize("name", ["bpe", "unigram"])
def test_subwords_keep_to_their_number(name):
    texts = [topics[name] for name in ("assert", "if", "import", "with")]
    codec = trained(name, texts, vocab_size=400)
    assert NUM_SPECIALS + 256 < codec.vocab_size <= 400
    assert len(codec.encode(texts[0])) < 0.7 * len(texts[0])


def test_word_parts_tell_which_tokens_can_touch(codecs):
    bpe = codecs["bpe"]
    parts = dict(zip(range(bpe.vocab_size), tokenizers.word_parts(bpe)))
    one = {text: parts[i] for text in ("t", ".", " ", "\n") for i in bpe.encode(text)}
    assert one == {"t": 3, ".": 0, " ": 0, "\n": 0}
    (the,) = bpe.encode(" the")
    assert parts[the] == 2
    signs = tokenizers.Chars("कि!")
    assert list(tokenizers.word_parts(signs)[NUM_SPECIALS:]) == [3, 3, 0]
    assert all(parts[i] == 0 for i in range(NUM_SPECIALS))
    assert not any(tokenizers.word_parts(codecs["word"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokenizer": "wordpiece"}, "data.tokenizer='wordpiece': must be one of char, word, bpe"),
        ({"tokenizer": "bpe", "vocab_size": 260}, "data.vocab_size=260: must be at least 261"),
        ({"tokenizer": "char", "vocab_size": 5}, "data.vocab_size=5: must be at least 6"),
        ({"min_count": 0}, "data.min_count=0: must be at least 1"),
    ],
)
def test_mistakes_are_told(changes, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        tokenizers.train(section(**changes), ["a"])


def test_smallest_types():
    assert [tokenizers.smallest_type(n) for n in (256, 257, 2**16, 2**16 + 1)] == [
        np.uint8,
        np.uint16,
        np.uint16,
        np.uint32,
    ]
