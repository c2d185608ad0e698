"""How much each parameter matters for the tasks before, and gradients that leave them alone."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core.batch import batch_mean
from genjax.families._continual_fields import Loss
from genjax.models.dense import MLP

_TINY = 1e-30  # an importance below counts as none


def fisher_information(network: MLP, params: Any, x: jax.Array, visible: Any) -> Any:
    """Computes the diagonal of the Fisher information of each parameter, over examples (B, …).

        F_i = E_x sum_c p(c|x) (d log p(c|x) / d theta_i)^2

    Source: Kirkpatrick et al. 2017, equation 3; Martens 2020 (New insights and perspectives on the
    natural gradient method) for the expectation over the model's own classes. The
    gradient of one example by a kernel is a product of what goes into the layer and of its gradient
    by the bias: so F of a kernel is a matrix product of their squares, and no example's gradient by
    a kernel is ever written down.

    Args:
      network: without normalization and dropout.
      params: its parameters.
      x: (B, …).
      visible: logits (B, O) and examples' numbers (B,) to the logits (B, W) of p(c|x).

    Returns:
      A tree like `params`, the mean over the examples of all devices.
    """
    number_B = jnp.arange(len(x))
    logits, kept = network.apply({"params": params}, x, mutable=["intermediates"])
    inputs = [x.reshape(len(x), -1), *kept["intermediates"].get("layers", ())]
    p_BxW = nn.softmax(visible(logits, number_B))
    names = [f"Dense_{i}" for i in range(len(inputs))]
    biases = {name: params[name]["bias"] for name in names}

    def log_p(biases: Any, x: jax.Array, number: jax.Array, c: jax.Array) -> jax.Array:
        own = {name: {**params[name], "bias": biases[name]} for name in names}
        logits = network.apply({"params": own}, x[None])
        return nn.log_softmax(visible(logits, number[None])[0])[c]

    def add(sums: Any, c: jax.Array) -> tuple[Any, None]:
        each = jax.vmap(jax.grad(log_p), (None, 0, 0, None))(biases, x, number_B, c)
        weigh = lambda s, g: s + p_BxW[:, c, None] * jnp.square(g)  # noqa: E731
        return jax.tree.map(weigh, sums, each), None

    zeros = {name: jnp.zeros((len(x), len(bias))) for name, bias in biases.items()}
    squares, _ = jax.lax.scan(add, zeros, jnp.arange(p_BxW.shape[1]))
    found = {}
    for name, h in zip(names, inputs):
        kernel = jnp.square(h.astype(jnp.float32)).T @ squares[name] / len(x)
        found[name] = {"kernel": kernel, "bias": squares[name].mean(0)}
    return batch_mean(found)


def consolidated(kept: dict[str, Any], params: Any, loss: Loss) -> dict[str, Any]:
    """Makes `importance`, `anchor` and an empty `running` of what was estimated in a task.

    Args:
      kept: these three; `running` is the Fisher information, or the path integral of SI.
      params: behind the task.
      loss: the section.
    """
    importance, anchor, running = (kept[n] for n in ("importance", "anchor", "running"))
    zeros, decay = jax.tree.map(jnp.zeros_like, running), 1.0
    if loss.method == "ewc":
        importance, anchor = joined(importance, anchor, running, params)
        return {"importance": importance, "anchor": anchor, "running": zeros}
    if loss.method == "si":
        running = path_importance(running, anchor, params, loss.si_damping)
    else:
        decay = loss.ewc_decay
    importance = jax.tree.map(lambda a, b: decay * a + b, importance, running)
    return {"importance": importance, "anchor": params, "running": zeros}


def joined(importance: Any, anchor: Any, new: Any, params: Any) -> tuple[Any, Any]:
    """Adds the penalty `new (theta - params)^2` to `importance (theta - anchor)^2`.

    A sum of quadratics is one, but for a constant: around the mean of their centers, weighted by
    importance. So all tasks' penalties (Kirkpatrick et al. 2017) need the memory of one.

    Returns:
      Importance and anchor of the sum.
    """
    total = jax.tree.map(jnp.add, importance, new)

    def center(total: jax.Array, new: jax.Array, anchor: jax.Array, params: jax.Array) -> jax.Array:
        share = jnp.where(total > _TINY, new / jnp.maximum(total, _TINY), 1.0)
        return (1 - share) * anchor + share * params

    return total, jax.tree.map(center, total, new, anchor, params)


def path_importance(path: Any, start: Any, params: Any, damping: float) -> Any:
    """Computes `omega = path / ((params - start)^2 + damping)`, at least 0.

    `path` is the sum over the updates of a task of minus gradient times movement, what a parameter
    has lowered the loss by (Zenke et al. 2017, equations 3 and 5). Below 0, where it raised it, the
    penalty would have no minimum.
    """

    def one(path: jax.Array, start: jax.Array, params: jax.Array) -> jax.Array:
        return jnp.maximum(path, 0.0) / (jnp.square(params - start) + damping)

    return jax.tree.map(one, path, start, params)


def projected(gradient: Any, reference: Any) -> Any:
    """Projects a gradient so that it does not raise the loss that `reference` is the gradient of.

        g - (g . r / r . r) r    where g . r < 0, else g

    Source: Chaudhry et al. 2019 (Efficient lifelong learning with A-GEM), equation 11.
    """

    def dot(a: Any, b: Any) -> jax.Array:
        each = jax.tree.map(lambda x, y: jnp.vdot(x, y, precision="highest"), a, b)
        total: jax.Array = jax.tree.reduce(jnp.add, each)
        return total

    product, square = dot(gradient, reference), dot(reference, reference)
    factor = jnp.where(product < 0, product / jnp.maximum(square, _TINY), 0.0)
    return jax.tree.map(lambda g, r: g - factor * r, gradient, reference)
