"""The hazards of weight clipping, beside the gradient penalty.

    python -m experiments.weight_clipping --workdir=DIR [--data=ring,grid,swiss_roll]
        [--clips=0.001,0.01,0.1] [--seeds=4] [--seed=0] [--steps=1000]

WGAN critics are trained for a fixed number of steps between real data and the same data with unit
Gaussian noise, the generator standing still, with their weights clipped or their gradient penalized
(Gulrajani et al. 2017, section 3, figures 1 and 2). Shown: values over the plane, the share
of the exact Wasserstein-1 distance that they find, their weights piling up at the bounds, and how
the gradient grows or shrinks from layer to layer of a critic of 12 hidden layers. All data sets,
clip values and seeds are trained as one program. The same command again resumes: a part that is
there is not computed again.

DIR gets results.md, results.json, surfaces.png, weights.png and layers.png. Recorded: 192 s on two
cores shared with other work. From layer 12 down to 1 the gradient changes by a factor of 0.0047,
0.047 and 6.4 a layer for clip values 0.001, 0.01 and 0.1, and of 0.92 with the penalty; 30 to 71 %
of the clipped weights of shallow critics end at the bounds, where 1 % began.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from experiments import study
from experiments.critic_updates import scores, seed_keys, train_critic
from experiments.pictures import plot_series, plot_surfaces, plot_weights
from experiments.study import MEASURES, Arrays
from genjax import losses
from genjax.cli import program
from genjax.core.config import ConfigError, optimizer
from genjax.data.toy import mixtures
from genjax.evaluation.transport import wasserstein_distance
from genjax.models.dense import MLP

DATA = ("ring", "grid", "swiss_roll")
PENALTY_WEIGHT = 10.0
AT_BOUND = 0.99  # of the clip value: weights beyond count as lying at it
_DEEP_DATA = "swiss_roll"
_HIDDEN, _DEEP_HIDDEN = (128,) * 3, (128,) * 12
_BATCH, _DEEP_BATCH = 128, 64
_POOL, _JUDGED, _PROBED, _SAMPLES = 20_000, 4096, 256, 1000  # examples
_GRID, _REACH = 64, 2.5  # of a surface: points a side; half its side, in standard deviations


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_weight_clipping, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    study.define_critics(values)
    flags.DEFINE_list("data", list(DATA), "On which data value surfaces are drawn.", **text)
    flags.DEFINE_list("clips", ["0.001", "0.01", "0.1"], "Bounds of the weights.", **text)


def _weight_clipping(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    names, clips = study.chosen(values, "data", DATA), _clips(values.clips)
    compute, seeds = study.open_parts(values, "weight_clipping", data=names, clips=clips)
    steps = values.steps
    pools = {name: pool(name, values.seed) for name in dict.fromkeys([*names, _DEEP_DATA])}
    flat, deep = [pools[name] for name in names], pools[_DEEP_DATA]
    exact = compute("transport", transport, flat, seeds)["transport"]
    methods = {f"clip {clip:g}": clip for clip in clips} | {"gradient penalty": math.inf}
    surfaces = _joined(
        compute("surfaces_clip", train_surfaces, flat, clips, seeds, steps),
        compute("surfaces_penalty", train_surfaces, flat, None, seeds, steps),
        axis=1,
    )
    layers = _joined(
        compute("layers_clip", train_deep, deep, clips, seeds, steps),
        compute("layers_penalty", train_deep, deep, None, seeds, steps),
        axis=0,
    )
    tables = {
        "Critics of 3 hidden layers": _surface_rows(names, methods, surfaces, exact),
        "Critics of 12 hidden layers": _layer_rows(methods, layers),
    }
    study.report(values.workdir, tables, _pictures(names, flat, methods, surfaces, layers, steps))
    return program.DONE


def _clips(texts: Sequence[str]) -> list[float]:
    try:
        clips = sorted({float(text) for text in texts})
    except ValueError:
        clips = []
    if not clips or not all(0 < clip < math.inf for clip in clips):
        raise ConfigError(f"--clips={','.join(texts)}: must be numbers above 0")
    return clips


def _joined(clipped: Arrays, penalized: Arrays, axis: int) -> Arrays:
    """Joins arrays along an axis of methods: the clip values, then the gradient penalty."""
    return {n: np.concatenate([clipped[n], penalized[n]], axis) for n in clipped}


def pool(name: str, seed: int) -> np.ndarray:
    """Draws many examples of one of `DATA`, float32 (N, 2), of unit standard deviation."""
    if name == "swiss_roll":
        rng = np.random.RandomState(seed)
        angle = 1.5 * np.pi * (1 + 2 * rng.rand(_POOL, 1))
        x = angle * np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        x = x + 0.25 * rng.randn(_POOL, 2)
        return (x / x.std()).astype(np.float32)
    dataset = mixtures.load(name)
    planned = dataset.train.plan(jax.random.key(seed), np.uint32(0), 1, (_POOL,))
    return np.asarray(planned["x"][0]) / np.float32(dataset.spec.scale)


def transport(pools: Sequence[np.ndarray], seeds: Sequence[int]) -> Arrays:
    """Computes `transport`, (P, S): exact Wasserstein-1 between samples and noisy ones."""
    pairs = [[jax.device_get(_pair(x, key, _SAMPLES)) for key in seed_keys(seeds)] for x in pools]
    return {"transport": np.array([[wasserstein_distance(*p) for p in row] for row in pairs])}


def train_surfaces(
    pools: Sequence[np.ndarray], clips: Sequence[float] | None, seeds: Sequence[int], steps: int
) -> Arrays:
    """Trains critics on every pool for every clip value (None: the penalty) and seed.

    Returns:
      Arrays (P, C, S, …), C = 1 with the penalty: `surface` (G, G); `weights`, all elements of the
      kernels, and `at_bound`, the share of them that `AT_BOUND` counts; `estimate`,
      E D(real) - E D(noisy); `slope` and `slope_max`, mean and largest norm of the critic's
      gradient at real and noisy examples and between them.
    """
    critic = MLP(_HIDDEN)
    side = jnp.linspace(-_REACH, _REACH, _GRID)
    plane = jnp.stack(jnp.meshgrid(side, side), axis=-1).reshape(-1, 2)

    def measure(params: Any, key: jax.Array, pool_Nx2: jax.Array, clip: Any) -> Any:
        def score(x: jax.Array) -> jax.Array:
            return scores(critic, params, x)

        real, noisy = _pair(pool_Nx2, key, _JUDGED)
        between = losses.interpolate(real, noisy, jnp.linspace(0.0, 1.0, _JUDGED))
        norms = losses.input_gradient_norm(
            score, jnp.concatenate([real, noisy, between]), epsilon=0.0
        )
        return {
            "surface": score(plane).reshape(_GRID, _GRID),
            "weights": _kernels(params),
            "at_bound": _share_at_bound(params, clip),
            "estimate": score(real).mean() - score(noisy).mean(),
            "slope": norms.mean(),
            "slope_max": norms.max(),
        }

    each = jax.vmap(_over_clips_and_seeds(critic, measure, clips, steps, _BATCH, 1), (0, None))
    found: Arrays = jax.device_get(jax.jit(each)(jnp.stack(pools), seed_keys(seeds)))
    return {n: v[:, :, :, -1] for n, v in found.items()}


def train_deep(
    pool_Nx2: np.ndarray, clips: Sequence[float] | None, seeds: Sequence[int], steps: int
) -> Arrays:
    """Trains critics of 12 hidden layers for every clip value (None: the penalty) and seed.

    Returns:
      Arrays (C, S, measures, …): `norms` (12,), see `layer_norms`, and `at_bound`.
    """
    critic = MLP(_DEEP_HIDDEN)

    def measure(params: Any, key: jax.Array, pool_Nx2: jax.Array, clip: Any) -> Any:
        x = jnp.concatenate(_pair(pool_Nx2, key, _PROBED // 2))
        return {"norms": layer_norms(critic, params, x), "at_bound": _share_at_bound(params, clip)}

    train = _over_clips_and_seeds(critic, measure, clips, steps, _DEEP_BATCH, MEASURES)
    found: Arrays = jax.device_get(jax.jit(train)(jnp.asarray(pool_Nx2), seed_keys(seeds)))
    return found


def layer_norms(critic: MLP, params: Any, x: jax.Array) -> jax.Array:
    """Computes the norm of the critic's gradient by what each hidden layer's activation gets.

    From the first layer to the last, mean over the examples: (layers,). A bias is a perturbation
    of it, so an example's gradient by the bias is the one by that output.
    """

    def value(params: Any, x_D: jax.Array) -> jax.Array:
        return scores(critic, params, x_D[None])[0]

    gradients = jax.vmap(jax.grad(value), (None, 0))(params, x)
    by_bias = [gradients[f"Dense_{i}"]["bias"] for i in range(len(critic.hidden))]
    return jnp.stack([_norm(gradient).mean() for gradient in by_bias])


def _norm(x_BxW: jax.Array) -> jax.Array:
    """Computes the norm of each row, (B,), also where float32 cannot hold its square."""
    largest = jnp.maximum(jnp.abs(x_BxW).max(-1, keepdims=True), jnp.finfo(x_BxW.dtype).tiny)
    return largest[:, 0] * jnp.linalg.norm(x_BxW / largest, axis=-1)


def _over_clips_and_seeds(
    critic: MLP,
    measure: Callable[[Any, jax.Array, jax.Array, Any], Any],
    clips: Sequence[float] | None,
    steps: int,
    batch: int,
    num_measures: int,
) -> Callable[[jax.Array, jax.Array], Any]:
    """Makes a function of a pool and the seeds' keys to measures (C, S, num_measures, …)."""

    def one(pool_Nx2: jax.Array, clip: Any, key: jax.Array) -> Any:
        def draw(key: jax.Array) -> tuple[jax.Array, jax.Array]:
            return _pair(pool_Nx2, key, batch)

        how = optimizer(learning_rate=1e-3, b1=0.0, b2=0.9, schedule="linear")
        if clip is not None:
            how.name = "rmsprop"
        return train_critic(
            critic,
            draw,
            key,
            lambda p, k: measure(p, k, pool_Nx2, clip),
            adversarial="wasserstein",
            optimizer=how,
            steps=steps,
            num_measures=num_measures,
            penalty_weight=PENALTY_WEIGHT if clip is None else 0.0,
            clip=clip,
            # A step of a hundredth of the way to the bound: every clip value gets as far.
            learning_rate=None if clip is None else clip / 100,
        )

    over_seeds = jax.vmap(one, (None, None, 0))
    if clips is None:
        return lambda pool, keys: jax.tree.map(lambda v: v[None], over_seeds(pool, None, keys))
    return lambda pool, keys: jax.vmap(over_seeds, (None, 0, None))(pool, jnp.array(clips), keys)


def _pair(pool_Nx2: Any, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
    """Draws examples of the pool, and others with unit Gaussian noise, (n, 2) each."""
    rows_key, noise_key = jax.random.split(key)
    rows = jax.random.randint(rows_key, (2 * n,), 0, len(pool_Nx2))
    real, other = jnp.asarray(pool_Nx2)[rows].reshape(2, n, 2)
    return real, other + jax.random.normal(noise_key, (2 * n,)).reshape(n, 2)


def _kernels(params: Any) -> jax.Array:
    return jnp.concatenate([p.ravel() for p in jax.tree.leaves(params) if p.ndim > 1])


def _share_at_bound(params: Any, clip: Any) -> jax.Array:
    """Computes the share of weights at the bounds; NaN where nothing is clipped."""
    bound = jnp.nan if clip is None else AT_BOUND * clip
    at_bound = (jnp.abs(_kernels(params)) > bound).mean()
    return jnp.where(jnp.isnan(bound), jnp.nan, at_bound)


def _surface_rows(
    names: Sequence[str], methods: Mapping[str, float], found: Arrays, exact: np.ndarray
) -> list[study.Row]:
    """Makes a row for each data set and method; `w1 found` is of the critic made 1-Lipschitz."""
    return [
        {
            "data": name,
            "critic": method,
            "exact w1": exact[i],
            "w1 found": found["estimate"][i, j] / found["slope_max"][i, j],
            "mean slope": found["slope"][i, j],
            "largest slope": found["slope_max"][i, j],
            "weights at the bounds": _unless_free(bound, found["at_bound"][i, j]),
        }
        for i, name in enumerate(names)
        for j, (method, bound) in enumerate(methods.items())
    ]


def _layer_rows(methods: Mapping[str, float], found: Arrays) -> list[study.Row]:
    """Makes a row for each method, at the end of training."""
    norms = found["norms"][:, :, -1].astype(np.float64)
    first, last = norms[..., 0], norms[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = (first / last) ** (1 / (norms.shape[-1] - 1))
    return [
        {
            "critic": method,
            "gradient at layer 1": first[j],
            f"at layer {norms.shape[-1]}": last[j],
            "factor a layer": factor[j],
            "weights at the bounds": _unless_free(bound, found["at_bound"][j, :, -1]),
        }
        for j, (method, bound) in enumerate(methods.items())
    ]


def _unless_free(bound: float, value: np.ndarray) -> Any:
    return value if math.isfinite(bound) else "no bounds"


def _pictures(
    names: Sequence[str],
    pools: Sequence[np.ndarray],
    methods: Mapping[str, float],
    surfaces: Arrays,
    layers: Arrays,
    steps: int,
) -> dict[str, np.ndarray]:
    """Draws the first seed's values and weights (on the last data set), and all gradients."""
    values = {
        name: dict(zip(methods, surfaces["surface"][i, :, 0])) for i, name in enumerate(names)
    }
    weights = {m: surfaces["weights"][-1, j, 0] for j, m in enumerate(methods)}
    # What underflows is shown at the bottom instead of nowhere.
    norms = np.maximum(layers["norms"], np.finfo(np.float32).tiny)
    number = np.arange(1, norms.shape[-1] + 1)
    panels = {
        f"critic's gradient by layer, step {steps * (i + 1) // MEASURES}": {
            m: (number, norms[j, :, i].T) for j, m in enumerate(methods)
        }
        for i in (0, MEASURES - 1)
    }
    return {
        "surfaces": plot_surfaces(values, dict(zip(names, pools)), _REACH),
        "weights": plot_weights(weights),
        "layers": plot_series(panels, xlabel="layer", log=list(panels)),
    }


if __name__ == "__main__":
    sys.exit(main())
