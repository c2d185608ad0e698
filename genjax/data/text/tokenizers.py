"""Tokenizers: from texts to tokens and back. Only this and `words` import `tokenizers`.

Every vocabulary starts with the special tokens of `genjax.core.tokens`, which no text encodes to
(but unknown ones): a text may hold "<eos>" and means these five characters.
"""

import collections
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import STORED, TOKENIZERS, TextData, fail
from genjax.core.fields import read
from genjax.core.tokens import BOS, EOS, MASK, NUM_SPECIALS, PAD, SPECIALS, UNK
from genjax.data.source import Codec
from genjax.data.text.phrases import join
from genjax.data.text.words import RULES, inside_word, lower, valid, words

_BYTES = 256
_AT_ONCE = 1000  # texts that the library encodes in one call, on all cores


class _Tokenizer:
    """What all tokenizers share; see `genjax.data.source.Codec`.

    Attributes:
      tokens: the characters, words or parts of words that have an id, without the special ones.
      lowercase: whether texts are lower-cased first.
      rules: what a word is and how texts are lower-cased, see `genjax.data.text.words`.
    """

    rules: int
    tokens: list[str]
    vocab_size: int

    def encode(self, text: str) -> list[int]:
        """See `Codec`."""
        return next(iter(self.encode_all([text]))).tolist()

    def encode_all(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """See `Codec`."""
        raise NotImplementedError

    def _json(self, kind: str, **fields: Any) -> dict[str, Any]:
        # The first rules had no number.
        numbered = {} if self.rules == 1 else {"rules": self.rules}
        return {"tokenizer": kind} | fields | numbered


class Chars(_Tokenizer):
    """Makes each character, that is a Unicode code point, a token.

    Characters without a token become UNK, which decodes to U+FFFD. All others come back exactly.
    """

    def __init__(self, tokens: Sequence[str], lowercase: bool = False, rules: int = RULES):
        self.tokens, self.lowercase, self.rules = list(tokens), lowercase, rules
        self.vocab_size = NUM_SPECIALS + len(self.tokens)
        codes = np.array([ord(c) for c in self.tokens], np.int64)
        self._ids = np.full(codes.max(initial=0) + 2, UNK, np.int32)  # the last one: all beyond
        self._ids[codes] = NUM_SPECIALS + np.arange(len(codes))
        self._names = ["", "\ufffd", "", "", SPECIALS[MASK], *self.tokens]

    def encode_all(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """See `Codec`."""
        return map(self._encode, texts)

    def decode(self, ids: Any) -> str:
        """See `Codec`."""
        return "".join(self._names[i] for i in _text_ids(ids))

    def to_json(self) -> dict[str, Any]:
        """See `Codec`."""
        return self._json("char", lowercase=self.lowercase, tokens=self.tokens)

    def _encode(self, text: str) -> np.ndarray:
        text = lower(text, self.rules) if self.lowercase else text
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        return self._ids[np.minimum(codes, len(self._ids) - 1)]


class Words(_Tokenizer):
    """Makes each word a token; those without one become UNK, which decodes to `<unk>`.

    White space separates words and is not kept; decoding joins words with single spaces. So a text
    of known words comes back with each gap as one space, and encodes to the same tokens again.

    Args:
      punctuation: whether punctuation ends a word, each mark a token of its own: `it's` is `it '
        s`. Otherwise white space alone separates.
      phrases: pairs of words that become one, round by round, see `genjax.data.text.phrases`.
    """

    def __init__(
        self,
        tokens: Sequence[str],
        lowercase: bool = False,
        punctuation: bool = True,
        phrases: Iterable[Iterable[Sequence[str]]] = (),
        rules: int = RULES,
    ):
        self.tokens, self.lowercase, self.punctuation = list(tokens), lowercase, punctuation
        self.rules = rules
        self.phrases = [{(a, b) for a, b in pairs} for pairs in phrases]
        self.vocab_size = NUM_SPECIALS + len(self.tokens)
        self._ids = {word: NUM_SPECIALS + i for i, word in enumerate(self.tokens)}
        self._names = [*SPECIALS, *self.tokens]

    def encode(self, text: str) -> list[int]:
        """See `Codec`."""
        several = words(text, self.lowercase, self.punctuation, self.rules)
        found = join(several, self.phrases)
        return [self._ids.get(word, UNK) for word in found]

    def encode_all(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """See `Codec`."""
        return (np.array(self.encode(text), np.int32) for text in texts)

    def decode(self, ids: Any) -> str:
        """See `Codec`."""
        return " ".join(self._names[i] for i in _text_ids(ids))

    def to_json(self) -> dict[str, Any]:
        """See `Codec`."""
        phrases = [sorted(map(list, pairs)) for pairs in self.phrases]
        return self._json(
            "word",
            lowercase=self.lowercase,
            punctuation=self.punctuation,
            tokens=self.tokens,
            phrases=phrases,
        )


class _Library(_Tokenizer):
    """A tokenizer of the `tokenizers` library."""

    def _made(self, model: dict[str, Any]) -> Any:
        from tokenizers import Tokenizer

        # Kept as it is: each time that the library reads and writes them, scores change in a bit.
        self._model = model
        self._tokenizer = Tokenizer.from_str(json.dumps(model))
        return self._tokenizer

    def _encoded(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        texts = map(valid, texts)
        while several := list(itertools.islice(texts, _AT_ONCE)):
            for found in self._tokenizer.encode_batch_fast(several, add_special_tokens=False):
                yield np.array(found.ids, np.int32)


class Subwords(_Library):
    """Runs a byte-level BPE or unigram model of the `tokenizers` library.

    All 256 bytes are tokens, so nothing is unknown and every text comes back exactly. Tokens that
    are cut within a character decode to U+FFFD. Sources: Sennrich et al. 2016 (BPE), on bytes and
    on GPT-2's words (Radford et al. 2019); Kudo 2018 (unigram), on the same.

    Args:
      kind: `bpe` or `unigram`.
      model: the library's JSON, without special tokens; its ids follow those of ours.
    """

    def __init__(
        self, kind: str, model: dict[str, Any], lowercase: bool = False, rules: int = RULES
    ):
        from tokenizers import decoders

        self.kind, self.lowercase, self.rules = kind, lowercase, rules
        tokenizer = self._made(model)
        self._bytes = decoders.ByteLevel()
        size = tokenizer.get_vocab_size()
        self.tokens = [str(tokenizer.id_to_token(i)) for i in range(size)]
        self.vocab_size = NUM_SPECIALS + size
        self._names = [*SPECIALS, *self.tokens]

    def encode_all(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """See `Codec`."""
        texts = (lower(text, self.rules) for text in texts) if self.lowercase else texts
        return (ids + NUM_SPECIALS for ids in self._encoded(texts))

    def decode(self, ids: Any) -> str:
        """See `Codec`."""
        return self._bytes.decode([self._names[i] for i in _text_ids(ids)])

    def to_json(self) -> dict[str, Any]:
        """See `Codec`."""
        return self._json(self.kind, lowercase=self.lowercase, model=self._model)


class Stored(_Library):
    """Runs a tokenizer of the `tokenizers` library that was not trained here: BERT's, GPT-2's, ….

    Its JSON decides what it does to a text: whether the text comes back exactly, what is unknown.

    Args:
      model: the library's JSON, whose first ids are those of the special tokens, under whatever
        names; see `genjax.hf.vocabulary`.
      rules: 1 of a running text's lines, each by itself; 2 of the text as a whole.
    """

    def __init__(self, model: dict[str, Any], rules: int = RULES):
        self.rules, tokenizer = rules, self._made(model)
        tokenizer.encode_special_tokens = True  # as the characters that they are
        self.vocab_size = tokenizer.get_vocab_size()
        ids = range(NUM_SPECIALS, self.vocab_size)
        self.tokens = [str(tokenizer.id_to_token(i)) for i in ids]
        pieces = model["model"]["type"] == "WordPiece"
        # What a token begins with that goes on with a word.
        self.inside = model["model"]["continuing_subword_prefix"] if pieces else ""

    def encode_all(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """See `Codec`."""
        return (np.where(ids < NUM_SPECIALS, UNK, ids) for ids in self._encoded(texts))

    def decode(self, ids: Any) -> str:
        """See `Codec`."""
        return self._tokenizer.decode(_text_ids(ids), skip_special_tokens=False)

    def to_json(self) -> dict[str, Any]:
        """See `Codec`."""
        return self._json(STORED, model=self._model)


def train(
    data: ConfigDict,
    texts: Iterable[str],
    *,
    punctuation: bool = True,
    phrases: Sequence[Any] = (),
) -> Codec:
    """Trains the tokenizer that `data` asks for on `texts`.

    `data.vocab_size` bounds the vocabulary, special tokens included; characters and words that
    occur less than `data.min_count` times, and pairs that BPE would merge, are left out. Characters
    and words are in order of frequency. For `punctuation` and `phrases` see `Words`.

    Raises:
      ConfigError: unknown tokenizer, or a vocabulary too small for it.
    """
    check(data)
    if data.tokenizer == STORED:
        what = "comes with weights, by genjax from-hugging-face; here"
        raise fail("data.tokenizer", STORED, f"{what} must be one of {', '.join(TOKENIZERS)}")
    if data.tokenizer == "char":
        return Chars(_frequent(data, texts, list), data.lowercase)
    if data.tokenizer == "word":
        found = _frequent(data, texts, lambda text: join(words(text, False, punctuation), phrases))
        return Words(found, data.lowercase, punctuation, phrases)
    return _train_subwords(data, texts)


def check(data: ConfigDict) -> None:
    """Raises `ConfigError` for a field of a tokenizer that is out of range."""
    read(TextData, {"data": data}, "data")
    bytes_too = data.tokenizer in ("bpe", "unigram")
    least = NUM_SPECIALS + (_BYTES if bytes_too else 1)
    if data.vocab_size < least:
        what = f"must be at least {least}: {NUM_SPECIALS} special tokens and "
        what += f"all {_BYTES} bytes" if bytes_too else f"a {data.tokenizer}"
        raise fail("data.vocab_size", data.vocab_size, what)


def from_json(found: dict[str, Any]) -> Codec:
    """Makes the tokenizer whose `to_json` this is."""
    rest = {name: value for name, value in found.items() if name != "tokenizer"}
    rest = {"rules": 1} | rest  # they had no number then
    if found["tokenizer"] == "char":
        return Chars(**rest)
    if found["tokenizer"] == "word":
        return Words(**rest)
    if found["tokenizer"] == STORED:
        return Stored(**rest)
    return Subwords(found["tokenizer"], **rest)


def _frequent(
    data: ConfigDict, texts: Iterable[str], parts: Callable[[str], Iterable[str]]
) -> list[str]:
    """Returns the most frequent parts of texts, the most frequent first."""
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
        counts.update(parts(lower(text) if data.lowercase else text))
    kept = [part for part, count in counts.items() if count >= data.min_count]
    return sorted(kept, key=lambda part: (-counts[part], part))[: data.vocab_size - NUM_SPECIALS]


def _train_subwords(data: ConfigDict, texts: Iterable[str]) -> Subwords:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    shared: dict[str, Any] = {
        "vocab_size": data.vocab_size - NUM_SPECIALS,
        "initial_alphabet": sorted(pre_tokenizers.ByteLevel.alphabet()),
        "show_progress": False,
    }
    trainer: Any
    if data.tokenizer == "bpe":
        # A pair that occurs once is no pattern.
        trainer = trainers.BpeTrainer(min_frequency=max(2, data.min_count), **shared)
        tokenizer = Tokenizer(models.BPE())
    else:
        trainer = trainers.UnigramTrainer(**shared)
        tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    lowered = map(lower, texts) if data.lowercase else iter(texts)
    tokenizer.train_from_iterator(lowered, trainer)
    try:
        return Subwords(data.tokenizer, json.loads(tokenizer.to_str()), data.lowercase)
    except Exception as error:  # the library has no type of its own for scores of nothing
        message = f"cannot be learned from the little text of {data.name}'s training split"
        raise fail("data.tokenizer", data.tokenizer, message) from error


def _text_ids(ids: Any) -> list[int]:
    """Returns the tokens up to the first EOS, without padding and BOS."""
    row = np.asarray(ids).tolist()
    row = row[: row.index(EOS)] if EOS in row else row
    return [i for i in row if i not in (PAD, BOS)]


def word_parts(codec: Codec) -> bytes:
    """Returns `DataSpec.word_parts` of a vocabulary; zeros where tokens are words."""
    parts = np.zeros(codec.vocab_size, np.uint8)
    if isinstance(codec, Words):
        return parts.tobytes()
    if isinstance(codec, Stored) and codec.inside:  # what is no part begins a word
        parts[NUM_SPECIALS:] = [2 + name.startswith(codec.inside) for name in codec.tokens]
        return parts.tobytes()
    for i in range(NUM_SPECIALS, codec.vocab_size):
        if text := codec.decode([i]):
            parts[i] = inside_word(text[0], codec.rules) + 2 * inside_word(text[-1], codec.rules)
    return parts.tobytes()


def sees_lines(codec: Codec) -> bool:
    """Says whether a text has other tokens than its lines, one after another."""
    return isinstance(codec, Subwords | Stored) and codec.rules > 1  # before, lines were all it saw


def is_text(model: dict[str, Any], id_: int) -> bool:
    """Says whether texts consist of this token of the library's JSON: it is no special one."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(model))
    tokenizer.encode_special_tokens = True
    text = tokenizer.decode([id_], skip_special_tokens=False)
    return bool(tokenizer.encode(text, add_special_tokens=False).ids == [id_])


def spellings(codec: Codec) -> tuple[str, ...]:
    """Returns `DataSpec.spellings` of a vocabulary; empty where tokens are no words."""
    return tuple(codec.tokens) if isinstance(codec, Words) else ()


def smallest_type(vocab_size: int) -> np.dtype:
    """Returns the smallest unsigned type that holds all ids."""
    return np.min_scalar_type(vocab_size - 1)
