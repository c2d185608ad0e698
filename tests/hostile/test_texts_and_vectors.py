"""Hostile texts, tables, vectors and pictures: one line each, in bounded memory."""

import gzip
import os
import struct
import zlib

import pytest

from genjax import data
from genjax.core import fields
from genjax.core.config import TextData, base
from genjax.data.text import word_vectors
from genjax.evaluation.text import word_similarity
from tests.hostile.judge import refused

_GOOD = gzip.compress(b"a text with enough words in it\n" * 50)


def bomb(head: bytes = b"", size: int = 2**26) -> bytes:
    """A small gzip file of `head` and then `size` bytes of one line without an end."""
    pack, zeros = zlib.compressobj(9, wbits=31), b"0" * 2**20
    parts = [pack.compress(head), *(pack.compress(zeros) for _ in range(size // 2**20))]
    return b"".join([*parts, pack.flush()])


def texts(name, **changes):
    """Reads a data set of texts."""

    def read(path):
        files = {"name": f"{name}:{path}", "cache_dir": str(path.parent / "cache")}
        data.load(fields.section(TextData, **files, **changes))

    return read


def vectors(path):
    word_vectors.read(path)


def similarity(path):
    import numpy as np

    found = word_vectors.WordVectors(["a", "b"], np.eye(2))
    word_similarity.word_similarity(found, path)


def images(path):
    c = base()
    c.data.name, c.data.cache_dir = f"images:{path.parent}", str(path.parent / "cache")
    data.load(c.data)


def png(width, height, rest=b""):
    def chunk(kind, content):
        sum_ = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + sum_

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", rest) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def binary(size, dim, rest=b""):
    return f"{size} {dim}\n".encode() + rest


SENTENCES = texts("text", kind="sentence")
CONLL = texts("conll", kind="tagged", tokenizer="word")
CASES = {
    # name of the file, content, reader, what is told
    "sentences: a bomb": ("t.txt.gz", bomb(), SENTENCES, "line 1 has more than"),
    "tsv: a bomb": ("t.tsv", bomb(b"a\tb\n"), texts("tsv"), "line 2 has more than"),
    "conll: a bomb": (
        "t.conll", bomb(b"a O\n"), CONLL, "line 2 has more than",
    ),
    "text: gzip cut short": ("t.txt", _GOOD[:-12], SENTENCES, "cannot be read"),
    "text: gzip with a wrong sum": ("t.gz", _GOOD[:-8] + b"12345678", SENTENCES, "cannot be read"),
    "text: gzip with wrong bits": ("t.gz", _GOOD[:20] + b"\xff" * 20, SENTENCES, "cannot be read"),
    "text: not UTF-8": ("t.txt", b"a\n\xff\xfe\n", SENTENCES, "line 2: is not UTF-8"),
    "tsv: not UTF-8": ("t.tsv", b"a\tb\n\xff\tb\n", texts("tsv"), "line 2: is not UTF-8"),
    "conll: not UTF-8": (
        "t.conll", b"a O\n\xe9 O\n", CONLL, "line 2: is not UTF-8",
    ),
    "similarity: not UTF-8": ("s.tsv", b"a\tb\t1\n\xff\n", similarity, "not UTF-8"),
    "similarity: a bomb": ("s.tsv", bomb(b"a\tb\t1\n"), similarity, "line 2 has more than"),
    "similarity: no number": ("s.tsv", b"a\tb\t1\na\tb\tnan\n", similarity, "line 2"),
    "vectors: 10^18 numbers": ("v.txt", b"1000000000 1000000000\na 1\n", vectors, "announces"),
    "vectors: 10^18 numbers, packed": (
        "v.txt.gz", gzip.compress(b"1000000000 1000000000\na 1\n"), vectors, "announces",
    ),
    "vectors: 10^12 in binary": ("v.bin", binary(10**6, 10**6, b"a 1234"), vectors, "announces"),
    "vectors: digits without end": ("v.txt", b"9" * 100_000 + b" 2\n", vectors, "line 1"),
    "vectors: less than none": ("v.txt", b"-1 -1\n", vectors, "line 1: must be two numbers"),
    "vectors: of no dimension": ("v.bin", b"3 0\na b c ", vectors, "line 1: must be two numbers"),
    "vectors: a line that is a bomb": ("v.txt.gz", bomb(b"2 2\na "), vectors, "line 2: must be"),
    "vectors: a header that is a bomb": ("v.txt.gz", bomb(), vectors, "line 1: must be"),
    "vectors: gzip cut short": (
        "v.txt.gz", gzip.compress(b"2 1\na 1\nb 2\n")[:-9], vectors, "cannot be read",
    ),
    "vectors: no gzip": ("v.txt.gz", b"2 1\na 1\nb 2\n", vectors, "cannot be read"),
    "vectors: NaN": ("v.txt", b"2 2\na 1 2\nb nan 1\n", vectors, "vector 2, of 'b', holds NaN"),
    "vectors: infinite, in binary": (
        "v.bin", binary(1, 2, b"a " + struct.pack("<2f", 1, float("inf"))), vectors, "holds NaN or",
    ),
    "vectors: words not UTF-8": ("v.txt", b"1 1\n\xff 1\n", vectors, "cannot be read"),
    "pictures: of 10^9 x 10^9": ("p.png", png(10**9, 10**9, zlib.compress(b"0")), images, "p.png"),
    "pictures: 30,000 x 30,000 of nothing": (
        "p.png", png(30_000, 30_000, zlib.compress(bytes(2**20))), images, "p.png",
    ),
    "pictures: cut short": ("p.png", png(8, 8)[:40], images, "p.png"),
    "pictures: a page": ("p.jpg", b"<!doctype html><html>not found</html>", images, "p.jpg"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_else(case, tmp_path):
    name, content, read, message = CASES[case]
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / name).write_bytes(content)
    if read is images:  # one is no data set
        (folder / f"q{name}").write_bytes(content)
    (folder / "cache").symlink_to(tmp_path)  # what is decoded has its own place
    assert message in refused(folder, lambda: read(folder / name))


@pytest.mark.parametrize("read", [vectors, similarity, SENTENCES])
def test_a_pipe_without_an_end_is_not_waited_for(read, tmp_path):
    os.mkfifo(tmp_path / "p.txt")
    refused(tmp_path, lambda: read(tmp_path / "p.txt"))
