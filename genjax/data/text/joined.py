"""A running text that comes in pieces, in parts that a tokenizer can take one by one.

Tokenizers look beyond the ends of lines: GPT-2's makes one token of several line breaks, and
another of a space in front of a word. So lines are joined, and cut again only where the tokenizer
parts the text anyway.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from genjax.data.source import Codec

SIZE = 2**13  # characters of a part, about: enough to make cuts few, and batches of parts small
_AROUND = 200  # characters on both sides of a cut that must tell where the tokenizer parts them
_TRIES = 50  # of each kind of cut
# Where to cut, the best first: before white space, behind a sign, anywhere.
_CUTS = tuple(map(re.compile, (r"(?<=\S)(?=\s)", r"(?<=[^\w\s])(?=\w)", r"(?<=.)(?=.)")))


def parts(pieces: Iterable[str], codec: Codec | None = None, size: int = SIZE) -> Iterator[str]:
    """Yields the text in parts whose tokens, one part after another, are those of the whole text.

    A text that a tokenizer parts nowhere stays in one.

    Args:
      pieces: of the text, one after another.
      codec: whose tokens they are; without one, parts are cut before white space if they can be.
      size: of a part, in characters.
    """
    rest: list[str] = []
    held, wanted = 0, size + _AROUND
    for piece in pieces:
        rest.append(piece)
        held += len(piece)
        if held < wanted:
            continue
        text = "".join(rest)
        while len(text) >= wanted:
            # As far as to what the next piece may still change.
            at = _cut(text, min(len(text) - _AROUND, wanted), codec)
            if not at:
                wanted *= 2  # so that all tries together take no longer than the text is long
                continue
            yield text[:at]
            text, wanted = text[at:], size + _AROUND
        rest, held = [text], len(text)
    if text := "".join(rest):
        yield text


def _cut(text: str, before: int, codec: Codec | None) -> int:
    """Finds where to cut a text, in the second half of what stands before an index; 0: nowhere."""
    for kind in _CUTS:
        found = [match.start() for match in kind.finditer(text, before // 2, before)]
        for at in islice(reversed(found), _TRIES):
            if codec is None or _is_parted(text, at, codec):
                return at
    return 0


def _is_parted(text: str, at: int, codec: Codec) -> bool:
    left, right = text[max(at - _AROUND, 0) : at], text[at : at + _AROUND]
    both, first, second = (ids.tolist() for ids in codec.encode_all([left + right, left, right]))
    return bool(both == first + second)
