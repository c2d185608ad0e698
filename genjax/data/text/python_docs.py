"""The language reference that ships with Python, about half a million characters of English.

Source: `pydoc_data.topics`, the texts of `help("topic")`; they differ a little between versions of
Python.
"""

import hashlib
from collections.abc import Iterator

from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.data.text.source import Texts
from genjax.data.text.tokenizers import words


def texts(data: ConfigDict) -> Texts:
    """Reads the topics as texts, or their paragraphs as sentences, whose class is the topic.

    Tagged, they are paragraphs of words of which some are code: what stands in double quotes, which
    are taken away, has the tags B-CODE and I-CODE. Paragraphs that several topics share stay in the
    first of them only. The last `data.test_fraction` of the paragraphs of each topic are the test
    split. With words for tokens each paragraph of a running text ends with EOS, otherwise each
    topic.
    """
    topics = _topics()

    def part(paragraphs: list[str], split: str) -> list[str]:
        cut = len(paragraphs) - int(data.test_fraction * len(paragraphs))
        return paragraphs[:cut] if split == "train" else paragraphs[cut:]

    def running(split: str) -> Iterator[str]:
        for paragraphs in topics.values():
            chosen = part(paragraphs, split)
            if data.tokenizer == "word":
                yield from chosen
            elif chosen:
                yield "\n\n".join(chosen) + "\n"

    def sentences(split: str) -> Iterator[tuple[str, str, str]]:
        for topic, paragraphs in topics.items():
            for paragraph in part(paragraphs, split):
                yield " ".join(paragraph.split()), topic, f"topic {topic}"

    def tagged(split: str) -> Iterator[tuple[list[str], list[str], str]]:
        for topic, paragraphs in topics.items():
            for paragraph in part(paragraphs, split):
                if paragraph.count('"') % 2 == 0:
                    yield *_tagged(paragraph), f"topic {topic}"

    for split in ("train", "test"):
        if not any(part(paragraphs, split) for paragraphs in topics.values()):
            raise fail("data.test_fraction", data.test_fraction, f"leaves no text to {split} on")
    text = "\0".join(p for paragraphs in topics.values() for p in paragraphs)
    identity = {"digest": hashlib.sha256(text.encode()).hexdigest()}
    read = {"sentence": sentences, "tagged": tagged}.get(data.kind, running)
    where = f"the last {data.test_fraction:.3g} of each topic is the test split"
    return Texts(data.kind, identity, read, source=where)


def _tagged(paragraph: str) -> tuple[list[str], list[str]]:
    """Returns words and their tags."""
    found: list[str] = []
    tags: list[str] = []
    for i, part in enumerate(paragraph.split('"')):
        several = words(part, lowercase=False, punctuation=True)
        found += several
        first, rest = ("B-CODE", "I-CODE") if i % 2 else ("O", "O")
        tags += [rest if j else first for j in range(len(several))]
    return found, tags


def _topics() -> dict[str, list[str]]:
    """Returns the paragraphs of each topic."""
    from pydoc_data.topics import topics

    seen: set[str] = set()
    found: dict[str, list[str]] = {}
    for topic in sorted(topics):
        paragraphs = [p.strip("\n") for p in topics[topic].split("\n\n")]
        found[topic] = [p for p in dict.fromkeys(paragraphs) if p.strip() and p not in seen]
        seen.update(found[topic])
    return {topic: paragraphs for topic, paragraphs in found.items() if paragraphs}
