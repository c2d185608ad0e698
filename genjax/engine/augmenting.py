"""Runs that learn from variants of their sentences, which a text autoencoder wrote.

The section `augment` of a config (`genjax.core.augmenting.Augment`) names that autoencoder's run.
Its tokenizer makes the tokens. It writes the variants of each training sentence once, at the start
(`Interpolates.augment`); they are a function of its checkpoint and of the sentences alone, and are
kept in the new run's folder, so that a run that is resumed, or used, needs the autoencoder no more.
"""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from genjax import data
from genjax.core.arrays import read_npz
from genjax.core.augmenting import VARIANTS, Augment
from genjax.core.capabilities import Interpolates
from genjax.core.config import fail, of_texts
from genjax.core.family import Family, State
from genjax.core.fields import read
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset
from genjax.engine import used
from genjax.engine.layout import AUGMENT, AUGMENT_VARIANTS
from genjax.generation import Sampling

_SECTION = "augment"
_AT_ONCE = 200  # sentences that are written at once


def tokenizer(config: ConfigDict) -> Path | None:
    """Returns the folder that keeps the autoencoder's tokenizer; None where none is named."""
    given = config.augment.workdir if _SECTION in config and of_texts(config.data) else ""
    return Path(given).expanduser().absolute() / data.TOKENIZER if given else None


def augmented(
    config: ConfigDict, dataset: Dataset, workdir: Path | None, prepare: Callable[..., Any]
) -> tuple[Dataset, dict[str, bytes]]:
    """Joins the variants to the training split; also what the run's folder keeps, by path.

    Args:
      config: the resolved config.
      dataset: its data.
      workdir: the new run's folder, if it is there.
      prepare: `genjax.engine.run.prepare`, which opens the autoencoder.

    Raises:
      ConfigError: there is no such run, it writes no such sentences, or it is another one than this
        run began with.
    """
    if tokenizer(config) is None:
        return dataset, {}
    section = read(Augment, config, _SECTION)
    if not isinstance(dataset.train, Resident):
        message = "needs the data on the device; raise data.device_limit_mb"
        raise fail("augment.workdir", section.workdir, message)
    path = workdir / AUGMENT_VARIANTS if workdir else None
    if path is not None and path.exists():
        kept = read_npz(path, f"{path} (remove it to write them again)")
        return _joined(section, dataset, kept.get(VARIANTS, np.array(0))), {}
    checkpoints, step, checksum = used.found(_SECTION, section, used.record(workdir, AUGMENT))
    run, params = used.opened(
        _SECTION, section, checkpoints, step, prepare, Interpolates, "writes no like sentences"
    )
    if run.executor.num_members:
        raise fail("augment.workdir", section.workdir, "is a population; must be a single run")
    both = run.dataset, dataset
    (there, theirs), (here, ours) = (
        (d.spec.shape[0], d.codec.to_json() if d.codec else None) for d in both
    )
    if there != here or theirs is None or theirs != ours:
        message = f"has other tokens, or rows of {there}, here {here}"
        raise fail("augment.workdir", section.workdir, message)
    logging.info("Writes variants by step %d of %s", step, section.workdir)
    found = written(run.family, params, dataset.train.arrays["x"], section)
    np.savez(content := io.BytesIO(), **{VARIANTS: found})
    record = json.dumps({"step": step, "checksum": checksum}).encode()
    return _joined(section, dataset, found), {AUGMENT: record, AUGMENT_VARIANTS: content.getvalue()}


def written(family: Family, params: Mapping[str, Any], x: np.ndarray, section: Augment) -> Any:
    """Writes variants (N, K, T) of sentences (N, T), of their type."""
    zero = jnp.zeros((), jnp.int32)
    options = Sampling(section.temperature)

    @jax.jit
    def write(params: Any, key: jax.Array, x_BxT: jax.Array) -> jax.Array:
        state = State(step=zero, key=jax.random.key(0), opt_state={}, **params)
        augment: Any = family.augment  # type: ignore[attr-defined]
        variants: jax.Array = augment(state, key, x_BxT, options)
        return variants

    keys = jax.random.split(jax.random.key(0), section.variants)
    padding = [(0, -len(x) % _AT_ONCE), (0, 0)]
    blocks = np.pad(x.astype(np.int32), padding).reshape(-1, _AT_ONCE, x.shape[1])
    each = [
        np.concatenate([write(params, jax.random.fold_in(k, i), b) for i, b in enumerate(blocks)])
        for k in keys
    ]
    return np.stack(each, 1)[: len(x)].astype(x.dtype)


def _joined(section: Augment, dataset: Dataset, variants: np.ndarray) -> Dataset:
    train: Any = dataset.train
    x = train.arrays["x"]
    if variants.shape != (len(x), section.variants, *x.shape[1:]):
        message = f"kept variants are {variants.shape}, and not of these data; begin another run"
        raise fail("augment.variants", section.variants, message)
    arrays = {**train.arrays, VARIANTS: variants}
    return dataset._replace(train=Resident(arrays, train.levels, train.order))
