"""Finds the texts, or words, nearest to others by the cosine of a run's vectors.

    genjax nearest --workdir=DIR --query=TEXT | --queries=FILE [--among=FILE] [--k=5]
        [--out=FILE.json|FILE.tsv]

Files hold a text a line. Vectors are those that the family encodes texts as (text autoencoders,
classifiers, BERT, ELMo, word2vec: means of words), else means of what its last layer computes.
Without --among a query of word2vec is a word, and is compared with all words of the vocabulary.
"""

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from genjax import recipes
from genjax.cli import program, writing
from genjax.core import files
from genjax.core.config import ConfigError

_SUFFIXES = (".json", ".tsv")


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_multi_string("query", [], "A text, or a word; may be repeated.", **text)
    flags.DEFINE_string("queries", "", "A file of them, each line one; UTF-8 or gzip.", **text)
    flags.DEFINE_string("among", "", "A file of the texts that they are compared with.", **text)
    flags.DEFINE_integer("k", 5, "How many are shown of each.", 1, **text)
    flags.DEFINE_string("out", "", "Where to, instead of the terminal: .json or .tsv.", **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_integer("member", 0, "Of a population.", 0, **text)


def _nearest(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    program.checkpoint_step(values.step)
    if bool(values.query) == bool(values.queries):
        raise ConfigError("--query: one of --query=TEXT and --queries=FILE must be given")
    out = Path(values.out).expanduser() if values.out else None
    if out is not None and out.suffix not in _SUFFIXES:
        raise ConfigError(f"--out={values.out}: must end in {' or '.join(_SUFFIXES)}")
    asked = _texts(values, "queries") if values.queries else _given(values.query)
    compared = _texts(values, "among") if values.among else []
    queries, among = [text for _, text in asked], [text for _, text in compared]
    model = program.load(values, values.member)
    from genjax.evaluation.text.nearest import nearest

    if compared:
        vectors = _vectors(model, asked), _vectors(model, compared)
    else:
        vectors, among = _of_words(values, model, queries)
    index_QxK, cosine_QxK = nearest(*vectors, values.k)
    found = [
        {"query": query, "nearest": [{"text": among[i], "cosine": float(c)} for i, c in zip(*row)]}
        for query, *row in zip(queries, index_QxK, cosine_QxK)
    ]
    if out is None:
        print("\n\n".join(map(_shown, found)))
        return program.DONE
    with files.writing(f"--out={out}"):
        out.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(out, _json(found) if out.suffix == ".json" else _tsv(found))
    print(out)
    return program.DONE


def _given(queries: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"--query={files.shown(text, 40)}", text) for text in queries]


def _texts(values: Any, flag: str) -> list[tuple[str, str]]:
    """Reads the texts of a file, without empty lines: where each is, for errors, and the text."""
    given, lines = f"--{flag}={values[flag].value}", writing.lines_of(values, flag)
    if texts := [(f"{given}: line {i}", x) for i, x in enumerate(lines, 1) if x.strip()]:
        return texts
    raise ConfigError(f"{given}: holds no text")


def _vectors(model: Any, named: Sequence[tuple[str, str]]) -> Any:
    """Computes the vectors of texts; an error says where the text is that it is of."""
    from genjax.evaluation.text.nearest import text_vectors

    try:
        return text_vectors(model, [text for _, text in named])
    except ConfigError as error:
        found = re.match(r"\w+\[(\d+)\]: ", str(error))  # its place in the list
        if found is None:
            raise
        where = named[int(found[1])][0]
        raise ConfigError(f"{where}: {str(error)[found.end() :]}") from error


def _of_words(values: Any, model: Any, queries: list[str]) -> tuple[Any, list[str]]:
    """Returns the vectors of the words that are asked for and of all words, and the words."""
    import numpy as np

    from genjax.core.capabilities import HasWordVectors
    from genjax.core.tokens import NUM_SPECIALS

    if not isinstance(model.family, HasWordVectors):
        message = f"missing; family {model.config.family} has vectors of texts, not of words"
        raise ConfigError(f"--among: {message}: it must be a file of texts")
    words = list(model.run.dataset.codec.tokens)
    table_VxD = np.asarray(model.vectors())[NUM_SPECIALS:]
    index = {word: i for i, word in enumerate(words)}
    for query in queries:
        if query not in index:
            near = recipes.nearest(query, words) if len(query) > 1 else "it is too rare"
            flag = "--queries" if values.queries else "--query"
            raise ConfigError(f"{flag}={query}: has no vector; {near}")
    return (table_VxD[[index[query] for query in queries]], table_VxD), words


def _shown(found: dict[str, Any]) -> str:
    rows = [f"  {one['cosine']:6.3f}  {one['text']}" for one in found["nearest"]]
    return "\n".join([found["query"], *rows])


def _json(found: list[dict[str, Any]]) -> str:
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _tsv(found: list[dict[str, Any]]) -> str:
    """Makes a line of query, rank, cosine and text; tabs in texts become spaces."""
    rows = ["query\trank\tcosine\ttext"]
    for one in found:
        query = one["query"].replace("\t", " ")
        for rank, near in enumerate(one["nearest"], 1):
            text = near["text"].replace("\t", " ")
            rows.append(f"{query}\t{rank}\t{near['cosine']:.6f}\t{text}")
    return "\n".join(rows) + "\n"


main = functools.partial(program.run, _nearest)
