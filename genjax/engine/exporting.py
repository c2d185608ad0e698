"""Training steps as programs for a platform, to be kept in a file and called without genjax."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from genjax.core.config import ConfigError
from genjax.engine.leaves import filled, is_key, leaves_of
from genjax.engine.run import Run
from genjax.engine.sound import sound_step
from genjax.ops.attention_kernels import CUDNN_CALLS
from genjax.ops.platform import PLATFORMS, matmul_precision, traced_for


def export(run: Run, platforms: Sequence[str]) -> dict[str, "jax.export.Exported"]:
    """Exports a step of one member of a run for each platform; see `genjax.export`."""
    from jax import export as jax_export

    # JAX promises for no call of cuDNN that later versions will know it.
    checks = [jax_export.DisabledSafetyCheck.custom_call(name) for name in CUDNN_CALLS]

    found = {}
    for platform in platforms:
        if platform not in PLATFORMS:
            raise ConfigError(
                f"platforms={platform!r}: must be of {', '.join(PLATFORMS)}, one or several"
            )
        with traced_for(platform):
            program = jax.jit(_step(run), donate_argnums=0)
            make = jax_export.export(program, platforms=(platform,), disabled_checks=checks)
            found[platform] = make(*shapes(run))
    return found


def shapes(run: Run) -> tuple[dict[str, Any], Any]:
    """Returns the shapes of what an exported step takes: the leaves of a state, and a batch."""
    leaves = leaves_of(_template(run))
    data = {
        name: jax.eval_shape(jax.random.key_data, x) if is_key(x) else x
        for name, x in leaves.items()
    }
    return data, jax.eval_shape(lambda arrays: _first_batch(run, arrays), _arrays(run))


def _step(run: Run) -> Any:
    template = _template(run)
    wanted, structure = leaves_of(template), jax.tree.structure(template)

    def step(leaves: Mapping[str, jax.Array], batch: Any) -> tuple[dict[str, Any], Any]:
        state = jax.tree.unflatten(structure, [filled(x, leaves[n]) for n, x in wanted.items()])
        with matmul_precision(run.config.matmul_precision):
            state, metrics = sound_step(run.family, run.config, state, batch)
        new = leaves_of(state)
        return {n: jax.random.key_data(x) if is_key(x) else x for n, x in new.items()}, metrics

    return step


def _template(run: Run) -> Any:
    return jax.eval_shape(run.family.init, jax.random.key(run.config.seed))


def _arrays(run: Run) -> Any:
    source = run.dataset.train
    if source.streamed:
        key = np.asarray(jax.random.key_data(jax.random.key(run.config.seed)))
        shape = run.family.batch_shape
        return next(iter(source.stream(key, 0, 1, shape, slice(0, shape[-1]))))
    return source.arrays


def _first_batch(run: Run, arrays: Any) -> Any:
    source, shape = run.dataset.train, run.family.batch_shape
    if source.streamed:
        return source.fetch((), arrays)
    planned = source.plan(jax.random.key(0), source.cursor(0, shape), 2, shape)
    return source.fetch(arrays, jax.tree.map(lambda a: a[0], planned))
