"""Passages: a running text cut into pieces of one length, each of them seen once an epoch."""

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.core.family import DataSpec
from genjax.core.tokens import PAD
from genjax.data.cache import Entry
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset, Source
from genjax.data.streaming import Streamed
from genjax.data.text import phrases, running, tokenizers
from genjax.data.text.running import encode
from genjax.data.text.source import Texts
from genjax.data.text.vocabulary import Vocabulary
from genjax.data.text.windows import Rows

__all__ = ["dataset", "encode", "learn"]


def learn(data: ConfigDict, texts: Texts, given: Vocabulary | None = None) -> Vocabulary:
    """Learns the vocabulary of the training split, with phrases of up to 2**`data.phrases` words.

    With a tokenizer that is `given` already, its phrases count.

    Raises:
      ConfigError: phrases of what is no words, or a field of them is out of range.
    """
    if given or not data.get("phrases", 0):
        return running.learn(data, texts, given)
    if data.tokenizer != "word":
        raise fail("data.phrases", data.phrases, "are of words: data.tokenizer=word")
    if data.phrases < 0 or data.phrase_threshold <= 0:
        raise fail("data.phrase_threshold", data.phrase_threshold, "must be above 0")
    found = phrases.learn(
        lambda: (tokenizers.words(text, data.lowercase, True) for text in texts.read("train")),
        data.phrases,
        least=data.min_count,
        threshold=data.phrase_threshold,
    )
    return Vocabulary(tokenizers.train(data, texts.read("train"), phrases=found))


def dataset(data: ConfigDict, words: Vocabulary, train: Entry, test: Entry) -> Dataset:
    """Makes passages of `data.length` tokens, the last one padded, and counts each token."""
    splits: dict[str, Source] = {}
    for name, entry in (("train", train), ("test", test)):
        tokens = entry.load(mmap=True).get("x", np.zeros(0, np.uint8))
        if not len(tokens):
            raise ConfigError(f"config.data.name={data.name!r}: its {name} split holds no text")
        if name == "train":
            counts = np.bincount(tokens, minlength=words.x.vocab_size)
        if entry.nbytes() > data.device_limit_mb * 2**20:
            splits[name] = Streamed({"x": Rows(tokens, data.length, data.length)}, levels=0)
        else:
            splits[name] = Resident({"x": padded(tokens, data.length)}, levels=0)
    spec = DataSpec(
        "passage",
        (data.length,),
        vocab_size=words.x.vocab_size,
        token_counts=tuple(counts.tolist()),
    )
    return Dataset(spec, splits["train"], splits["test"], codec=words.x)


def padded(tokens: np.ndarray, length: int) -> np.ndarray:
    """Cuts tokens (N,) into rows (ceil(N / length), length), the last one padded."""
    rest = np.full(-len(tokens) % length, PAD, tokens.dtype)
    return np.concatenate([tokens, rest]).reshape(-1, length)
