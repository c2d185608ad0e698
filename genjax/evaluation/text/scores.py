"""Scores of what a model writes and how it tags, on the test split."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from genjax.core.capabilities import Attends, Tags, Writes
from genjax.core.config import ConfigError
from genjax.core.members import by_name
from genjax.core.tokens import EOS, PAD, UNK
from genjax.data.source import rows
from genjax.data.text import loading
from genjax.data.text.tags import scheme
from genjax.data.text.words import lower
from genjax.evaluation.shown import attention_maps
from genjax.evaluation.text.entities import entity_scores
from genjax.evaluation.text.translation import misread, translation_scores, why_not
from genjax.generation import GREEDY
from genjax.generation.texts import TextGenerator, answers
from genjax.plots.grid import save_png

MOST_ANSWERED = 10_000  # of the test split
_NUM_DRAWN = 6  # attention maps
Scores = tuple[dict[str, Any], dict[str, str]]


def of_model(
    model: Any,
    means: Mapping[str, Any],
    beam: int = 0,
    length_penalty: float = 0.6,
    bleu_tokenize: str = "",
) -> Scores:
    """Scores a model, or each member of a population, and says what the scores hold for.

    Of running text: bits per character and byte. Of answers to sources (translations,
    reconstructions): `translation_scores`, decoded greedily or by beam search. Of tags that mark
    entities: `entity_scores`.

    Args:
      model: a loaded one.
      means: what its evaluation on the test split gave.
      beam: width; 0: greedy.
      length_penalty: of beam search.
      bleu_tokenize: of `translation_scores`; "": the run's own.
    """
    dataset = model.run.dataset
    running = dataset.spec.kind == "text" and isinstance(model.family, Writes)
    if running and model.config.data.tokenizer != "word":
        read = loading.read(model.config.data, "test")
        return _bits(dataset, np.asarray(means["loss"]), read)
    options = beam, length_penalty, bleu_tokenize or model.config.data.bleu_tokenize
    if not model.num_members:
        return _scores(model, *options)
    members = [_scores(model.member(i), *options) for i in range(model.num_members)]
    return by_name([numbers for numbers, _ in members]), members[0][1]


def check_bleu_tokenize(model: Any, flag: str) -> None:
    """Raises `ConfigError` unless sacreBLEU's tokenizer of the flag, or the run, is there."""
    if flag and not answers(model.family):
        raise ConfigError(
            f"--bleu_tokenize={flag}: is for translations; {model.config.family} has none"
        )
    name = flag or model.config.data.bleu_tokenize
    if answers(model.family) and (reason := why_not(name)):
        message = f"--bleu_tokenize={name}" if flag else f"config.data.bleu_tokenize={name!r}"
        raise ConfigError(f"{message}: {reason}")


def draw_attention(model: Any, folder: Path) -> list[Path]:
    """Draws attention maps of the first test sentences; none for families without."""
    if not answers(model.family) or not isinstance(model.family, Attends):
        return []
    model = model.member(0) if model.num_members else model
    generator = TextGenerator(model.family, model.run.dataset, model.state)
    sources, _ = held_out(model, _NUM_DRAWN)
    path = folder / "samples" / f"attention_{model.step:07d}.png"
    save_png(path, attention_maps(model, generator.write(sources, sampling=GREEDY)))
    return [path]


def _bits(dataset: Any, loss: np.ndarray, texts: Iterable[str]) -> Scores:
    """Computes bits from nats a token, of one model or of each member of a population.

    Of the texts as they were written, but in small letters where the model reads no others: an
    unknown character counts with its own bytes. The first token is not predicted and not counted;
    each EOS counts as one character and byte.
    """
    found = [row[row != PAD] for batch in rows(dataset.test, 1000) for row in batch["x"]]
    ids = np.concatenate([row[1:] for row in found])  # each token that is predicted, once
    codec, ends = dataset.codec, int((ids == EOS).sum())
    first, sizes = codec.decode(found[0][:1]), {"character": ends, "byte": ends}
    for written in texts:
        small = getattr(codec, "lowercase", False)
        written = lower(written, codec.rules) if small else written
        # Where the first token is no text of its own, it is taken for the first character.
        written = written[len(first) if written.startswith(first) else 1 :]
        first = ""
        sizes["character"] += len(written)
        sizes["byte"] += len(written.encode())
    bits = loss * len(ids) / np.log(2)
    scores = {f"bits_per_{name}": (bits / size).tolist() for name, size in sizes.items()}
    unknown = f"{100 * (ids == UNK).mean():.3g} % of its tokens are unknown"
    hold_for = {
        f"bits_per_{name}": f"{size:,} {name}s of test text; {unknown}"
        for name, size in sizes.items()
    }
    return scores, hold_for


def _scores(model: Any, beam: int, length_penalty: float, bleu_tokenize: str) -> Scores:
    dataset, family = model.run.dataset, model.family
    if dataset.spec.kind == "tagged" and isinstance(family, Tags) and scheme(dataset.labels):
        return _entities(model)
    if not answers(model.family):
        return {}, {}
    generator = TextGenerator(model.family, dataset, model.state)
    sources, targets = held_out(model, MOST_ANSWERED)
    written = generator.write(sources, sampling=GREEDY, beam=beam, length_penalty=length_penalty)
    if dataset.spec.kind != "pair":  # a reconstruction, of as much as the model sees
        targets = [dataset.codec.decode(t.prompt) for t in written]
    if message := misread(targets, bleu_tokenize):
        logging.warning("warning: --bleu_tokenize=%s: %s", bleu_tokenize, message)
    scores, hold_for = translation_scores(
        [t.text for t in written],
        targets,
        lowercase=model.config.data.lowercase,
        tokenize=bleu_tokenize,
    )
    decoded = f"beam {beam}, length penalty {length_penalty}" if beam else "greedy"
    protocol = f"{len(sources):,} test sentences, {decoded}"
    if cut := dataset.found.get("cut", {}).get("test"):
        whole = "references are whole" if dataset.spec.kind == "pair" else "as references are"
        of = "of them" if cut["of"] <= len(sources) else f"of all {cut['of']:,}"
        protocol += f", {cut['count']:,} {of} cut at data.length={model.config.data.length}"
        if (length := model.config.data.target_length) and dataset.spec.kind == "pair":
            protocol += f" or data.target_length={length}"
        protocol += f", {whole}"
    return scores, {n: "; ".join([protocol, *filter(None, [hold_for.get(n)])]) for n in scores}


def held_out(model: Any, most: int) -> tuple[Sequence[str], Sequence[str]]:
    """Reads sources and targets (of sentences, their classes) as they are written."""
    dataset, data = model.run.dataset, model.config.data
    if data.name == "reverse":  # drawn as tokens
        found = list(rows(dataset.test, 1000))
        x, y = (np.concatenate([batch[name] for batch in found])[:most] for name in ("x", "y"))
        return list(map(dataset.codec.decode, x)), list(map(dataset.target_codec.decode, y))
    # Sentences tell where they stand as well.
    first, second, *_ = zip(*itertools.islice(loading.read(data, "test"), most))
    return first, second


def _entities(model: Any) -> Scores:
    """Scores whole sentences as written: entities that `data.length` cuts off are missed."""
    dataset, data = model.run.dataset, model.config.data
    spans = scheme(dataset.labels)
    right = [tags for _, tags, _ in loading.read(data, "test")]
    guessed: list[list[str]] = []
    for batch in rows(dataset.test, model.run.executor.eval_batch_size):
        for x, tag in zip(batch["x"], np.asarray(model.tag(batch["x"], batch["chars"]))):
            unseen = len(right[len(guessed)]) - int((x != PAD).sum())
            seen = [dataset.labels[i] for i in tag[: int((x != PAD).sum())]]
            guessed.append([*seen, *["O"] * unseen])
    scores = entity_scores(right, guessed, spans.suffix if spans else False)
    protocol = f"{len(right):,} test sentences, entities by spans"
    hold_for = dict.fromkeys(scores, protocol)
    if cut := sum(max(len(tags) - data.length, 0) for tags in right):
        lost = f"those in the {cut:,} words behind data.length={data.length} are missed, accuracy"
        hold_for["recall"] += f"; {lost} leaves these words out"
    return scores, hold_for
