"""What texts are scored by: words, and characters of scripts that put no spaces between words."""

import re
import unicodedata
from collections.abc import Iterable

from genjax.data.text.words import pieces

TOLD = "words of letters, marks and digits; characters of scripts without spaces"

# Patterns of the `tokenizers` library (Oniguruma).
_SCRIPTS = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")
_ALONE = "".join(rf"\p{{{script}}}" for script in _SCRIPTS) + r"\x{30FC}\x{FF70}"
_MARK = r"[\p{M}\x{200C}\x{200D}]"
_LETTER, _LETTER_OR_LINE = (rf"[\p{{L}}\p{{N}}{more}&&[^{_ALONE}\p{{M}}]]" for more in ("", "_"))
_OWN = rf"[{_ALONE}&&[\p{{L}}\p{{N}}]]{_MARK}*"
_WORDS = rf"{_OWN}|{_LETTER}(?:{_LETTER}|{_MARK})*"
_WORDS_AND_SIGNS = (
    rf"{_OWN}|{_LETTER_OR_LINE}(?:{_LETTER_OR_LINE}|{_MARK})*|[^\s\p{{L}}\p{{N}}_]{_MARK}*"
)
_ASCII, _ASCII_AND_SIGNS = re.compile("[A-Za-z0-9]+"), re.compile(r"[A-Za-z0-9_]+|[^A-Za-z0-9_\s]")


def units(text: str, *, lowercase: bool, signs: bool) -> list[str]:
    """Splits a text into words, in composed form (NFC): é is é, however it is written.

    Args:
      text: any.
      lowercase: whether case does not count, nor which of its two forms a small sigma has.
      signs: whether each sign that is no letter, mark or digit is one as well, and `_` a letter.
    """
    text = text.lower().replace("ς", "σ") if lowercase else text
    if text.isascii():
        return (_ASCII_AND_SIGNS if signs else _ASCII).findall(text)
    return pieces(_WORDS_AND_SIGNS if signs else _WORDS, unicodedata.normalize("NFC", text))


def are_without_spaces(texts: Iterable[str]) -> bool:
    """Says whether most letters of texts are of scripts that put no spaces between words."""
    found = [unit for text in texts for unit in units(text, lowercase=False, signs=False)]
    letters = "".join(found)
    return 2 * len(pieces(_OWN, letters)) > len(pieces(rf"{_OWN}|{_LETTER}", letters))
