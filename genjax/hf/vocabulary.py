"""Tokenizers as folders have them (`tokenizer.json`), with our special tokens in front.

The file is the JSON of the `tokenizers` library, whose names of parts are used here.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from genjax.core.config import STORED, ConfigError
from genjax.core.tokens import BOS, EOS, NUM_SPECIALS, SPECIALS, UNK
from genjax.data.source import Codec
from genjax.data.text.words import PATTERNS, normalizer
from genjax.hf.special import NAMES, Names, by_name


class Vocabulary(NamedTuple):
    """A tokenizer under our ids.

    Attributes:
      model: the library's JSON.
      source_V: the id that each token had before, -1 for special tokens that there were not.
    """

    model: dict[str, Any]
    source_V: np.ndarray


def renumbered(
    found: dict[str, Any], message: str, choose: Callable[[Mapping[str, int]], Names] = by_name
) -> Vocabulary:
    """Puts the special tokens in front and all others behind them, in their order.

    What a tokenizer adds around texts, cuts and pads is left out: families do that.

    Args:
      found: the JSON, or one of our own without special tokens.
      message: its file, for errors.
      choose: tells the names of the special tokens from the ids of all tokens by name.

    Raises:
      ConfigError: it is no tokenizer, or its ids are not 0, 1, 2, ….
    """
    try:
        model, added = copy.deepcopy(found["model"]), copy.deepcopy(found["added_tokens"])
        scored = isinstance(model["vocab"], list)  # a unigram model's
        pieces = [piece for piece, _ in model["vocab"]] if scored else list(model["vocab"])
        old = dict(zip(pieces, range(len(pieces)) if scored else model["vocab"].values()))
        old |= {token["content"]: token["id"] for token in added}
        complete = sorted(old.values()) == list(range(len(old)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{message}: is not the JSON of a tokenizer ({error!r})") from error
    if not complete:
        raise ConfigError(f"{message}: must number its {len(old)} tokens 0, 1, 2, …")
    special = [name or _new(NAMES[i][0], old) for i, name in sorted(choose(old).items())]
    others = sorted((name for name in old if name not in special), key=lambda name: old[name])
    new = {name: i for i, name in enumerate([*special, *others])}
    if scored:
        scores = dict(model["vocab"])
        model["vocab"] = [[name, scores.get(name, 0.0)] for name in new]
        if model.get("unk_id") is not None:
            model["unk_id"] = new[pieces[model["unk_id"]]]
    else:
        model["vocab"] = new
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    tokens = {token["content"]: token for token in added}
    tokens = {name: flags | {"content": name, "special": True} for name in special} | tokens
    tokens = {name: token | {"id": new[name]} for name, token in tokens.items()}
    renewed = {
        "added_tokens": sorted(tokens.values(), key=lambda token: token["id"]), "model": model,
        "post_processor": None, "truncation": None, "padding": None,
    }  # fmt: skip
    return Vocabulary(found | renewed, np.array([old.get(name, -1) for name in new]))


def _new(name: str, taken: Mapping[str, int]) -> str:
    """Returns a name like `name` that no token has."""
    return _new(f"{name}_", taken) if name in taken else name


def tokenizer_json(codec: Codec, around: str) -> dict[str, Any]:
    """Returns the `tokenizer.json` of a codec.

    Args:
      codec: of `genjax.data.text.tokenizers`.
      around: what a text is given for its model: "", "BOS" in front, or "BOS EOS" around.

    Raises:
      ConfigError: the library has no such tokenizer (words that are joined to phrases).
    """
    message = codec.to_json()
    if message["tokenizer"] == STORED:
        model = message["model"]
    elif "model" in message:
        model = renumbered(message["model"], "tokenizer").model
        model["decoder"] = model["pre_tokenizer"]  # the same bytes, back
    elif message.get("phrases"):
        raise ConfigError("config.data.phrases: tokenizer.json has no words of several words")
    else:
        model = _by_pattern(message)
    if message.get("lowercase"):
        model["normalizer"] = normalizer(message.get("rules", 1))
    return model | {"post_processor": _around(model, around)}


def special_names(model: dict[str, Any]) -> list[str]:
    """Returns the names of our five special tokens in a tokenizer under our ids."""
    return [token["content"] for token in model["added_tokens"][:NUM_SPECIALS]]


def _by_pattern(message: dict[str, Any]) -> dict[str, Any]:
    """Makes a tokenizer of characters or words, into which a regular expression cuts a text."""
    found: dict[str, Any] = {
        "version": "1.0", "added_tokens": [], "normalizer": None, "decoder": None,
        "model": {
            "type": "WordLevel", "unk_token": SPECIALS[UNK],
            "vocab": {name: i for i, name in enumerate(message["tokens"])},
        },
    }  # fmt: skip
    split = {"type": "Split", "behavior": "Removed", "invert": True}
    if message["tokenizer"] == "char":
        found["pre_tokenizer"] = split | {"pattern": {"Regex": r"[\s\S]"}}
        found["decoder"] = {"type": "Fuse"}
    else:
        pattern = PATTERNS[message.get("rules", 1), message["punctuation"]]
        found["pre_tokenizer"] = split | {"pattern": {"Regex": pattern}}
    return renumbered(found, "tokenizer").model


def _around(model: dict[str, Any], around: str) -> dict[str, Any] | None:
    if not around:
        return None
    names = special_names(model)

    def token(id_: int, kind: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": names[id_], "type_id": kind}}

    a, b = ({"Sequence": {"id": of, "type_id": kind}} for kind, of in enumerate("AB"))
    end = [token(EOS, 0)] if around == "BOS EOS" else []
    return {
        "type": "TemplateProcessing",
        "single": [token(BOS, 0), a, *end],
        "pair": [token(BOS, 0), a, token(EOS, 0), b, token(EOS, 1)],
        "special_tokens": {
            names[i]: {"id": names[i], "ids": [i], "tokens": [names[i]]} for i in (BOS, EOS)
        },
    }
