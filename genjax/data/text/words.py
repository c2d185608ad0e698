"""Words of a text and its small letters, by one rule here and in the tokenizers that are exported.

The `tokenizers` library cuts and lower-cases, here as wherever an exported `tokenizer.json` is
read, so that both agree on any text, whatever version of Unicode the library knows. Vocabularies
are kept with the number of their rules, and old ones go on as they did:

1. Words are runs of what Python's `\\w` matches, which combining marks are not; case is Python's,
  by which a capital sigma becomes another letter at the end of a word.
2. A word is a letter, digit or `_` with all letters, digits, `_`, marks and joiners that follow; a
  text's other characters are words of their own, with the marks and joiners that follow. Case is
  that of each character by itself: a capital sigma becomes σ everywhere.
"""

import functools
import re
import unicodedata
from typing import Any

RULES = 2  # of new vocabularies

# Patterns of the library (Oniguruma), by rules; of texts in which punctuation ends words, or not.
_JOINERS = "\u200c\u200d"  # as within Persian and Hindi words
_MARK = r"[\p{M}\x{200C}\x{200D}]"
PATTERNS = {
    (1, True): r"[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s\x1C-\x1F]",
    (1, False): r"[^\s\x1C-\x1F]+",
    (2, True): rf"[\p{{L}}\p{{N}}_](?:[\p{{L}}\p{{N}}_]|{_MARK})*|[^\s\p{{L}}\p{{N}}_]{_MARK}*",
    (2, False): r"\S+",
}
_OLD = re.compile(r"\w+|[^\w\s]")
# What rules 2 say of ASCII, where Python is quicker.
_ASCII = re.compile(r"[A-Za-z0-9_]+|[^A-Za-z0-9_ \t\n\v\f\r]")
_ASCII_SPACED = re.compile(r"[^ \t\n\v\f\r]+")


def words(text: str, lowercase: bool, punctuation: bool, rules: int = RULES) -> list[str]:
    """Splits a text into its words.

    Args:
      text: any.
      lowercase: whether it is lower-cased first.
      punctuation: whether punctuation ends a word; otherwise white space alone does.
      rules: see above.
    """
    text = lower(text, rules) if lowercase else text
    if rules == 1:
        return _OLD.findall(text) if punctuation else text.split()
    if text.isascii():
        return (_ASCII if punctuation else _ASCII_SPACED).findall(text)
    return pieces(PATTERNS[rules, punctuation], text)


def lower(text: str, rules: int = RULES) -> str:
    """Puts a text into small letters."""
    if rules == 1 or text.isascii():
        return text.lower()
    small: str = _lowercase().normalize_str(valid(text))
    return small


def valid(text: str) -> str:
    """Puts U+FFFD in place of lone surrogates, which the library refuses.

    No UTF-8 file holds any; arguments of a process whose bytes are not UTF-8 do, and JSON may.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def inside_word(character: str, rules: int = RULES) -> bool:
    """Says whether words are made of such characters: letters, digits, `_`, marks, joiners."""
    # U+FFFD is a part of a character, which is seldom one of a punctuation mark.
    if character in "_\ufffd" or character.isalnum():
        return True
    return rules != 1 and (character in _JOINERS or unicodedata.category(character)[0] == "M")


def pieces(pattern: str, text: str) -> list[str]:
    """Finds what a pattern of the library matches in a text, from left to right."""
    return [piece for piece, _ in _splitter(pattern).pre_tokenize_str(valid(text))]


def normalizer(rules: int) -> dict[str, Any]:
    """Returns the part of a `tokenizer.json` that does what `lower` does."""
    small = {"type": "Lowercase"}
    if rules != 1:
        return small
    last = r"(?<=[\p{L}\p{M}])\x{3A3}(?!\p{M}*\p{L})"  # a capital sigma that ends a word
    sigma = {"type": "Replace", "pattern": {"Regex": last}, "content": "ς"}
    return {"type": "Sequence", "normalizers": [sigma, small]}


@functools.cache
def _splitter(pattern: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(pattern), "removed", invert=True)


@functools.cache
def _lowercase() -> Any:
    from tokenizers import normalizers

    return normalizers.Lowercase()
