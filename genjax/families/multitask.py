"""Several tasks at once: one network that all share, and a softmax of its own for each task.

A batch has examples of several tasks (`genjax.data.multitask`). With L_t the mean over the batch
of -log p(y_t | x), 0 where task t is not asked, and r_t the share of examples that it is asked of,
`loss.method` minimizes

- `fixed`: sum_t w_t L_t.
- `uncertainty`: sum_t exp(-s_t) L_t + r_t s_t / 2, where s_t = log sigma_t^2 is learned: the weight
  1 / sigma_t^2 of a task and the price log sigma_t (Kendall et al. 2018, equation 10). Its minimum
  in s_t is at sigma_t^2 = 2 L_t / r_t.
- `pcgrad`: sum_t w_t L_t, along the sum of the tasks' gradients by the shared network, each
  projected onto the normal plane of those that it conflicts with, in an order drawn anew for each
  task at each step (Yu et al. 2020, algorithm 1). It costs a backward pass for each task.

How often a task is seen is a weight as well: r_t follows `data.temperature`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.batch import batch_sum
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, compute_dtype, shared_fields
from genjax.core.fields import read
from genjax.core.gradients import value_and_grad
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import init_key, step_key
from genjax.core.update import apply_gradient, first_state, minimize
from genjax.families import _gradient_surgery as surgery
from genjax.families._multitask_fields import Config, Loss, Model, make_encoder
from genjax.families._multitask_fields import text_config as text_config
from genjax.models.features import watched

_DROPOUT, _ORDER = range(2)  # uses of the step's key

default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class Multitask(Family):
    """The family `multitask`.

    Evaluation reports `accuracy_TASK` and `cross_entropy_TASK` (nats) of each task, and `accuracy`
    and `cross_entropy`, their means over the tasks. Classes are those of the first task.

    Attributes:
      tasks: their names.
      encoder: the shared network, `encoder`; of pictures its outputs are rectified.
      heads: a linear layer for each task, `head_TASK`.
    """

    tasks: tuple[str, ...]
    model: Model
    loss: Loss
    encoder: nn.Module
    heads: Mapping[str, nn.Module]
    optimizer: optax.GradientTransformation

    # The networks.

    def encoded(self, params: Any, x: jax.Array, **options: Any) -> jax.Array:
        """Computes the vectors (B, D) of examples (B, …)."""
        h_BxD = applied(self.encoder, params["encoder"], x, **options)
        return h_BxD if self.spec.kind == "sentence" else nn.relu(h_BxD)

    def logits(self, params: Any, x: jax.Array, **options: Any) -> list[jax.Array]:
        """Computes the logits (B, classes) of each task, float32."""
        h_BxD = self.encoded(params, x, **options)
        return [applied(self.heads[n], params[n], h_BxD).astype(jnp.float32) for n in self.heads]

    # The loss.

    def task_losses(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> jax.Array:
        """Computes L_t of each task, (T,); see `tasks_loss`."""
        rngs = {"dropout": jax.random.fold_in(shared["key"], part)}
        logits = self.logits(params, rows["x"], train=True, rngs=rngs)
        return _errors(logits, rows["target"]).mean(0)

    def tasks_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes the loss of `fixed` and of `uncertainty`; see the module.

        Args:
          params: of the encoder and the heads; of `uncertainty` `log_variances` (T,) as well.
          rows: `x`, and `target` (B, T), below 0 where a task is not asked.
          shared: `key` of dropout.
          part: number of the part, folded into the key.
        """
        loss_T = self.task_losses(params, rows, shared, part)
        if self.loss.method != "uncertainty":
            total = (self._weights * loss_T).sum()
            return total, {"loss": total}
        share_T, s_T = (rows["target"] >= 0).mean(0), params["log_variances"]
        total = (jnp.exp(-s_T) * loss_T + share_T * s_T / 2).sum()
        weights = {f"weight_{n}": w for n, w in zip(self.tasks, jnp.exp(-s_T))}
        return total, {"loss": total} | weights

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Selects what the loss of the update that follows `state` needs."""
        rows = {name: batch[name] for name in ("x", "target")}
        return rows, {"key": step_key(state, _DROPOUT)}

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        encoder_key, *head_keys = jax.random.split(init_key(key), 1 + len(self.tasks))
        x = jnp.zeros((1, *self.spec.shape))
        if self.spec.kind == "sentence":
            x = jnp.full((1, *self.spec.shape), tokens.EOS)
        h_BxD, variables = self.encoder.init_with_output(encoder_key, x)
        params = {"encoder": variables["params"]}
        for head_key, (name, head) in zip(head_keys, self.heads.items()):
            params[name] = head.init(head_key, h_BxD)["params"]
        if self.loss.method == "uncertainty":
            params["log_variances"] = jnp.zeros(len(self.tasks))
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        rows, shared = self.inputs(state, batch)
        if self.loss.method != "pcgrad":
            return minimize(self.tasks_loss, state, rows, shared, self.optimizer, self)
        losses_T, gradients = self.task_gradients(state.params, rows, shared)
        orders = surgery.draw_orders(step_key(state, _ORDER), len(self.tasks))
        gradient, conflicts = self.combined(gradients, orders)
        metrics = {"loss": losses_T.sum(), "conflicts": conflicts}
        return apply_gradient(gradient, state, self.optimizer, self), metrics

    def task_gradients(self, params: Any, rows: Batch, shared: Any) -> tuple[jax.Array, Any]:
        """Computes w_t L_t, (T,), and its gradients, leaves (T, …): forward once, back T times."""

        def of_task(weight_T: jax.Array) -> tuple[jax.Array, Any]:
            def loss(params: Any, rows: Batch, part: Any) -> tuple[jax.Array, Metrics]:
                return (weight_T * self.task_losses(params, rows, shared, part)).sum(), {}

            steps = self.accumulate_steps
            (value, _), gradient = value_and_grad(loss, params, rows, accumulate_steps=steps)
            return value, gradient

        values: tuple[jax.Array, Any] = jax.vmap(of_task)(jnp.diag(self._weights))
        return values

    def combined(self, gradients: Any, order_TxT: jax.Array) -> tuple[Any, jax.Array]:
        """Sums the tasks' gradients, projected in the shared network, and says how many conflict.

        No other task has a gradient by the head of a task, so that there is nothing to project.
        """
        products_TxT = surgery.inner_products(gradients["encoder"])
        weight_T = surgery.projection_weights(products_TxT, order_TxT)
        total = jax.tree.map(lambda g: g.sum(0), gradients)
        projected = jax.tree.map(lambda g: jnp.tensordot(weight_T, g, 1), gradients["encoder"])
        return total | {"encoder": projected}, surgery.conflicts(products_TxT)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums, for each task, over the examples that it is asked of."""
        target_BxT = batch["target"]
        logits = self.logits(state.eval_params, batch["x"])
        asked_BxT = batch["mask"][:, None] * (target_BxT >= 0)
        right_BxT = jnp.stack([z.argmax(-1) for z in logits], -1) == target_BxT
        sums = {
            "count": batch["mask"].sum(),
            "asked": asked_BxT.sum(0),
            "right": (asked_BxT * right_BxT).sum(0),
            "nats": (asked_BxT * _errors(logits, target_BxT)).sum(0),
        }
        return batch_sum(sums)

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turns the sums of each task into its accuracy and cross-entropy."""
        asked = np.maximum(np.asarray(means["asked"], np.float64), 1e-12)
        found: dict[str, Any] = {}
        for name, of in (("accuracy", "right"), ("cross_entropy", "nats")):
            each = np.asarray(means[of], np.float64) / asked
            found[name] = each.mean(-1)
            found |= {f"{name}_{task}": each[..., t] for t, task in enumerate(self.tasks)}
        return found

    # What it is used for.

    def encode(self, state: State, x: jax.Array) -> jax.Array:
        """Computes the vectors (B, D) that all tasks share."""
        return self.encoded(state.eval_params, x)

    def features(self, state: State, x: jax.Array) -> dict[str, jax.Array]:
        """Computes the layers of the shared network, and the vectors (B, D) that it ends in."""
        watching, layers = watched(self, encoder="encoder")
        code = watching.encode(state, x)
        return layers | {"encoder.code": code}

    def classify(self, state: State, x: jax.Array) -> jax.Array:
        """Computes the probabilities (B, num_classes) of the classes of the first task."""
        return nn.softmax(self.logits(state.eval_params, x)[0])

    # Behind them.

    @property
    def _weights(self) -> jax.Array:
        return jnp.asarray(self.loss.weights or (1.0,) * len(self.tasks), jnp.float32)


def _errors(logits: list[jax.Array], target_BxT: jax.Array) -> jax.Array:
    """Computes -log p(y_t | x), (B, T), in nats; 0 where a task is not asked."""
    each = [
        losses.label_cross_entropy(z, jnp.maximum(target_BxT[:, t], 0))
        for t, z in enumerate(logits)
    ]
    return jnp.where(target_BxT >= 0, jnp.stack(each, -1), 0.0)


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Multitask:
    """Builds the family from a config like `configs/multitask.py`; raises `ConfigError`."""
    tasks, model, loss = (
        tuple(config.data.tasks),
        read(Model, config, "model"),
        read(Loss, config, "loss"),
    )
    model.check(spec)
    loss.check(len(tasks))
    dtype = compute_dtype(config.precision)
    return Multitask(
        **shared_fields(config, spec, total_steps),
        tasks=tasks,
        model=model,
        loss=loss,
        encoder=make_encoder(model, spec, config.precision),
        heads={f"head_{n}": nn.Dense(c, dtype=dtype) for n, c in zip(tasks, spec.task_classes)},
        optimizer=make_optimizer(config.optimizer, total_steps),
    )
