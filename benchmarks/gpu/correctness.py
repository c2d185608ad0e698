"""What a device computes against what the CPU of the same process computes."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness.child import Timed
from benchmarks.harness.training import device_name
from genjax.engine.parallel import make_executor
from genjax.engine.run import prepare
from genjax.ops import attention, conv, cross_entropy, embedding, masks, norm, precision
from genjax.ops.platform import matmul_precision, traced_for
from tests.contracts import recipes, trees

STEPS = 3
_SMALLEST = 1e-6  # of an element's root mean square, below which nothing is relative to it
_WORST = 3  # leaves that are named


def family(recipe: str) -> Timed:
    """Sets up a row `family_*`: `STEPS` steps of a recipe made tiny, on the device and on CPU.

    Both at the highest precision of products, from a state that each of them makes itself. The
    result: the largest relative difference of a leaf at the start, after the steps, and of the
    metrics, with the leaves that differ most.
    """

    def run() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            (start, end, metrics), theirs = (
                _trained(recipe, Path(folder), place) for place in (_device(), _cpu())
            )
        named = {"start": start, "steps": end, "metrics": metrics}
        return {n: compared(ours, cpu) for (n, ours), cpu in zip(named.items(), theirs)}

    return Timed(run, info={"device": device_name()})


def _trained(recipe: str, folder: Path, place: jax.Device) -> tuple[trees.Leaves, ...]:
    """Returns the state at the start, the one after the steps, and the metrics of these."""
    changes = {"chunk": STEPS, "log_every": STEPS, "matmul_precision": "highest"}
    with computed_at(place):
        run = prepare(recipes.lipschitz(recipes.tiny(recipe, folder, **changes)))
        seen = run.dataset.in_training()
        executor = make_executor(run.family, seen, run.config, devices=[place])
        state = executor.init()
        start = trees.leaves(state)
        state, metrics = executor.run(state, 0, STEPS)
        return start, trees.leaves(state), trees.of_steps(metrics, STEPS)


def ops() -> Timed:
    """Sets up the row `ops`: value and gradients of each of `OPS`, on the device and on CPU.

    The result: for each the largest relative difference, or its error.
    """

    def run() -> dict[str, Any]:
        return {name: _agrees(make) for name, make in OPS.items()}

    return Timed(run, info={"device": device_name()})


def _agrees(make: Callable[[], Any]) -> dict[str, Any]:
    try:
        ends = []
        # Traced for a GPU even where there is none: then the form is tested, not the device.
        for place, platform in ((_device(), "cuda"), (_cpu(), "cpu")):
            with computed_at(place, platform), matmul_precision("highest"):
                f, *arguments = make()
                seen = jax.device_put(arguments, place)

                def loss(*x: Any, f: Any = f) -> Any:
                    y = f(*x)
                    return jnp.sum(jnp.sin(y)), y

                floats = tuple(i for i, a in enumerate(arguments) if a.dtype == np.float32)
                (_, y), gradients = jax.jit(jax.value_and_grad(loss, floats, has_aux=True))(*seen)
                ends.append(trees.leaves({"value": y, "gradient": gradients}))
        return compared(*ends)
    except Exception as error:  # one operation's failure is no other's
        return {"error": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"}


def compared(actual: trees.Leaves, expected: trees.Leaves) -> dict[str, Any]:
    """Returns `largest`, the largest relative difference of a leaf, and the `worst` leaves.

    It is the norm of the difference over that of the expected leaf; of integers, the share that
    differs. None: a number is not finite on one side alone, or there are other leaves.
    """
    if actual.keys() != expected.keys():
        return {"largest": None, "worst": sorted(actual.keys() ^ expected.keys())[:_WORST]}
    found = {name: _difference(actual[name], x) for name, x in expected.items()}
    worst = sorted(found, key=lambda name: -np.nan_to_num(found[name], nan=np.inf))[:_WORST]
    largest = found[worst[0]] if worst else 0.0
    finite = bool(np.isfinite(largest))
    return {"largest": largest if finite else None, "worst": worst}


def _difference(x: np.ndarray, y: np.ndarray) -> float:
    if x.shape != y.shape:
        return float("nan")
    if not np.issubdtype(y.dtype, np.floating):
        return float(np.mean(x != y)) if y.size else 0.0
    x, y = x.astype(np.float64), y.astype(np.float64)
    if np.array_equal(x, y, equal_nan=True):
        return 0.0
    least = _SMALLEST * y.size**0.5
    return float(np.linalg.norm(x - y) / max(float(np.linalg.norm(y)), least))


@contextlib.contextmanager
def computed_at(place: jax.Device, platform: str = "") -> Iterator[None]:
    """Computes what is inside on a device, in the forms of its platform or of another one."""
    own = {"gpu": "cuda"}.get(place.platform, place.platform)
    with jax.default_device(place), traced_for(platform or own):
        yield


def _device() -> jax.Device:
    """Returns the device that is tested; in a rehearsal another CPU device than `_cpu`."""
    return jax.devices()[-1]


def _cpu() -> jax.Device:
    return jax.devices("cpu")[0]


def _normal(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def _convolution(**options: Any) -> Any:
    groups = options.get("groups", 1)
    x, kernel = _normal((4, 12, 12, 8), (4, 4, 8 // groups, 6))
    return lambda x, kernel: conv.convolve(x, kernel, (2, 2), **options), x, kernel


def _logits() -> Any:
    return cross_entropy.token_logits, *_normal((4, 7, 16), (16, 50), (50,))


def _lookup() -> Any:
    (table,) = _normal((40, 16))
    return embedding.lookup, table, np.arange(12, dtype=np.int32).reshape(3, 4) * 3 % 40


def _normalize() -> Any:
    def f(x: Any, scale: Any, bias: Any) -> Any:
        return norm.normalize(x, scale, bias, 1e-5, True)

    return f, *_normal((5, 7, 32), (32,), (32,))


def _attention() -> Any:
    def f(query: Any, key: Any, value: Any) -> Any:
        return attention.multi_head_attention(query, key, value, masks.causal_mask(64))

    return f, *_normal((2, 4, 64, 64), (2, 2, 64, 64), (2, 2, 64, 64))


# Each operation with forms of its own for a platform, by the name of its choice in
# `genjax.ops.platform` (what stands behind a slash says which case).
OPS: dict[str, Callable[[], Any]] = {
    "convolution/strided": _convolution,
    "convolution/transposed": lambda: _convolution(transpose=True),
    "convolution/groups": lambda: _convolution(groups=2),
    "bias": _logits,
    "sums/elements": lambda: (precision.sum_elements, *_normal((6, 9, 11))),
    "sums/norm": _normalize,
    "rows of tables": _lookup,
    "attention": _attention,
}
