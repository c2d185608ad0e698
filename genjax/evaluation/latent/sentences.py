"""The latent space of models of sentences, as texts."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from genjax.core import files
from genjax.core.capabilities import HasPosterior, Interpolates
from genjax.core.config import ConfigError
from genjax.core.family import Family
from genjax.core.tokens import PAD
from genjax.data.record import DataMissing
from genjax.data.source import first_rows
from genjax.evaluation.latent import page
from genjax.evaluation.latent.latent_space import class_names
from genjax.evaluation.latent.pictures import Picture, code_map
from genjax.losses import gaussian_kl

_NUM_JUDGED = 500  # test sentences whose reconstructions are counted
_NUM_SHOWN = 32  # sentences
_NUM_PAIRS = 8
_STEPS = 7  # of an interpolation, ends included
_Texts = Mapping[str, Sequence[str]]  # lines, by the name of their file


def write(
    model: Any,
    folder: Path,
    sentences: Sequence[str],
    variants: int,
    seed: int,
    evaluate: Callable[[], dict[str, Any]],
) -> list[Path]:
    """Writes all of it; returns the files.

    Args:
      model: a single trained model (`genjax.load`).
      folder: where to.
      sentences: to be encoded; none: the first ones of the test split.
      variants: draws of each in `augmented.txt`.
      seed: of draws.
      evaluate: gives what `evaluate` says of the test split.

    Raises:
      ConfigError: the model is no autoencoder of sentences, or the folder cannot be written.
    """
    family: Family = model.family
    name = model.config.family
    if not isinstance(family, Interpolates):
        raise ConfigError(f"family {name}: must be one of sentences and latents, text_autoencoder")
    numbers: dict[str, Any] = {"family": name, "step": model.step}
    try:
        rows, label = (model.tokens(sentences), None) if sentences else _test_rows(model)
    except DataMissing as error:
        if not family.has_prior:
            raise
        logging.warning("%s, or --sentences: samples alone", error)
        return _save(folder, {"samples": model.strings(model.sample(_NUM_SHOWN, seed))}, numbers)
    reconstructed = np.asarray(model.reconstruct(rows))
    numbers |= judged(rows, reconstructed)
    texts = {
        "reconstructions": _reconstructions(model, rows, reconstructed),
        "interpolations": _interpolations(model, rows),
        "augmented": _augmented(model, rows, variants, seed),
    }
    if family.has_prior:
        texts["samples"] = model.strings(model.sample(_NUM_SHOWN, seed))
    with contextlib.suppress(DataMissing):  # sentences of one's own need none
        numbers["eval"] = evaluate()
    if isinstance(family, HasPosterior):
        numbers["latents"] = _latents(model, rows, numbers.get("eval", {}))
    return _save(folder, texts, numbers, [_map(model, rows, label)])


def _test_rows(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Reads test sentences and their classes."""
    x, label = first_rows(model.run.dataset.test, _NUM_JUDGED)
    return x.astype(np.int32), label


def _map(model: Any, x_NxT: np.ndarray, label_N: np.ndarray | None) -> Picture:
    """Draws the codes of the sentences, in the colors of their classes, if any."""
    names = class_names(model.run.dataset) if label_N is not None else []
    if label_N is None or label_N.ndim != 1:
        label_N, names = np.zeros(len(x_NxT), np.int32), []
    return code_map(np.asarray(model.encode(x_NxT)), label_N, names, "sentences")


def judged(x_NxT: np.ndarray, y_NxT: np.ndarray) -> dict[str, Any]:
    """Counts how much of the sentences comes back, word by word and as a whole."""
    real, same = x_NxT != PAD, x_NxT == y_NxT
    return {
        "sentences": len(x_NxT),
        "tokens_in_their_place": float(same[real].mean()),
        "whole_sentences": float((x_NxT == y_NxT).all(-1).mean()),
    }


def _reconstructions(model: Any, x_NxT: np.ndarray, y_NxT: np.ndarray) -> list[str]:
    shown = (model.strings(rows[:_NUM_SHOWN]) for rows in (x_NxT, y_NxT))
    return [f"{sentence}\n -> {became}" for sentence, became in zip(*shown)]


def _interpolations(model: Any, x_NxT: np.ndarray) -> list[str]:
    """Goes from the first sentence to the second, from the third to the fourth, …"""
    starts = range(0, min(2 * _NUM_PAIRS, len(x_NxT) - 1), 2)
    if not starts:
        return []
    share_K = np.linspace(0, 1, _STEPS, dtype=np.float32)
    x, y = x_NxT[list(starts)], x_NxT[[i + 1 for i in starts]]
    found = np.asarray(model.interpolate(x, y, share_K))
    blocks = []
    for ends, between in zip(zip(model.strings(x), model.strings(y)), found):
        way = [f"{t:.2f}  {text}" for t, text in zip(share_K, model.strings(between))]
        blocks.append("\n".join([f"from  {ends[0]}", *way, f"to    {ends[1]}", ""]))
    return blocks


def _augmented(model: Any, x_NxT: np.ndarray, variants: int, seed: int) -> list[str]:
    """Puts a sentence, a tab and a variant of it in each line."""
    keys = jax.random.split(jax.random.key(seed), variants)
    drawn = [model.strings(model.augment(x_NxT, key)) for key in keys]
    sentences = model.strings(x_NxT)
    return [f"{sentence}\t{text}" for sentence, *texts in zip(sentences, *drawn) for text in texts]


def _latents(
    model: Any, x_NxT: np.ndarray, evaluation: Mapping[str, Any]
) -> list[dict[str, float]]:
    """Describes each latent, from that which tells most of a sentence to that which tells least."""
    mean, log_variance = model.posterior(x_NxT)
    kl = evaluation.get("kl_per_latent")
    columns = {
        "kl": np.asarray(gaussian_kl(mean, log_variance)).mean(0) if kl is None else np.asarray(kl),
        "standard_deviation_of_means": np.asarray(mean).std(0),
    }
    return page.latent_rows(columns, np.argsort(-columns["kl"], kind="stable"))


_TOLD = {
    "reconstructions": "Each sentence and, below it, what the decoder makes of its code.",
    "interpolations": "From one sentence to another: texts decoded from points on the straight "
    "line between their codes, at the shares of the way that stand before them.",
    "augmented": "In each line a sentence, a tab, and a variant of it: a draw near its code.",
    "samples": "Texts decoded from draws of the prior.",
}


def _save(
    folder: Path, texts: _Texts, numbers: dict[str, Any], pictures: Sequence[Picture] = ()
) -> list[Path]:
    with files.writing(f"--out={folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, found in texts.items():
            files.write_whole(folder / f"{name}.txt", "\n".join([*found, ""]))
    written = page.write(
        folder, numbers, pictures, [(f"{name}.txt", _TOLD[name]) for name in texts]
    )
    return [*(folder / f"{name}.txt" for name in texts), *written, folder / "latent.json"]
