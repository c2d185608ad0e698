"""Continual learning: a classifier learns tasks one after the other and is to forget none.

A run is the whole sequence: `data.steps_per_task` updates on each task, which never comes back.
Of N tasks so far, the classifier minimizes

    1/N L(current) + (1 - 1/N) L(replayed) + penalty(theta),

where a method has one of the latter two (van de Ven and Tolias 2019, appendix A; van de Ven,
Tuytelaars and Tolias 2022). Three scenarios say what is asked at test time: in `task` the class
within a task that is told (an output for each class of each task), in `domain` the same with one
set of outputs for all tasks, in `class` both; there only classes seen so far take part.

- `none`, `joint`: nothing, and all tasks at once: the two bounds.
- `ewc`, `online_ewc`: lambda/2 sum_i F_i (theta_i - theta*_i)^2, F the Fisher information behind
  each task, or behind all with one anchor (Kirkpatrick et al. 2017, equation 3; Schwarz et al.
  2018).
- `si`: c sum_i Omega_i (theta_i - theta*_i)^2, Omega what a parameter has lowered the loss by
  (Zenke et al. 2017, equations 3 to 5).
- `lwf`: current examples keep the soft targets of the previous network (Li and Hoiem 2016).
- `er`: examples of each class are kept and replayed (Rolnick et al. 2019).
- `a_gem`: the gradient may not raise their loss (Chaudhry et al. 2019, equation 11).
- `der`, `der_plus`: alpha mean (h(x) - z)^2 of kept examples and the logits z that they had, and
  beta times the cross-entropy of others (Buzzega et al. 2020, section 3).
- `dgr_vae`, `dgr_gan`: a generator's examples are replayed, their classes by the previous network
  (Shin et al. 2017, equations 1 and 2).
- `…_distilled`: what is replayed has its soft targets (van de Ven and Tolias 2018).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_gather, batch_rows, batch_sum
from genjax.core.family import (
    Batch,
    DataSpec,
    Family,
    Metrics,
    State,
    compute_dtype,
    new_state,
    shared_fields,
)
from genjax.core.fields import read
from genjax.core.gradients import value_and_grad
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import data_key, init_key, step_key
from genjax.core.update import apply_gradient
from genjax.data.tasks import class_order, pixel_orders
from genjax.families import _continual_penalties as penalties
from genjax.families import _episodic_memory as episodic
from genjax.families._continual_fields import Config, Generator, Loss, Model, TaskData, check
from genjax.families._continual_scenarios import Scenario
from genjax.families._generative_replay import GenerativeReplay, make_generator
from genjax.models.dense import MLP
from genjax.models.features import watched

_MEMORY, _AGAIN, _RESERVOIR, _GENERATED, _MIXED = range(5)  # uses of the step's key

default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class Continual(Family):
    """The family `continual`.

    The order of the classes and the permutations of the pixels differ by seed. Evaluation tells
    `accuracy_task_K` of each task, and `accuracy`, the mean over the tasks that were begun; at the
    multiples of `data.steps_per_task` they are the rows of the accuracy matrix.
    """

    data: TaskData
    model: Model
    loss: Loss
    scenario: Scenario
    classifier: MLP
    optimizer: optax.GradientTransformation
    generator: GenerativeReplay | None = None

    # The network.

    def logits(self, params: Any, x: jax.Array) -> jax.Array:
        """Computes all outputs (B, O) for examples (B, …) as tasks show them."""
        return applied(self.classifier, params["classifier"], x).astype(jnp.float32)

    # The loss.

    def classifier_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes 1/N L(current) + (1 - 1/N) L(replayed), or of DER L(current) + L(replayed).

        Args:
          params: of `classifier`.
          rows: `x`, `task` and `label`, the class within the task. Where something is replayed
            `replay_x` (missing: it is x) and what is to be said of it: `replay_task` and
            `replay_label`, or `teacher`, logits (B, O); of der_plus `again_x`, `again_task` and
            `again_label` as well.
          shared: `known`, the number N of tasks so far, and `filled`, 1 once anything is kept.
          part: not used.
        """
        known, given = shared["known"], [rows["x"]]
        given += [rows[name] for name in ("replay_x", "again_x") if name in rows]
        logits = jnp.split(self.logits(params, jnp.concatenate(given)), len(given))
        current = self._error(logits[0], rows, "", known)
        total, metrics = current, {"current": current}
        if self.loss.keeps_logits:
            error_B = self.scenario.logit_error(logits[1], rows["teacher"], rows["replay_task"])
            replayed = self.loss.der_alpha * error_B.mean()
            if "again_x" in rows:
                replayed += self.loss.der_beta * self._error(logits[2], rows, "again_", known)
            total, metrics = current + shared["filled"] * replayed, metrics | {"replay": replayed}
        elif "teacher" in rows or "replay_x" in rows:
            replayed = self._replay_error(logits[-1], rows, known)
            total = current / known + (1 - 1 / known) * replayed
            metrics["replay"] = replayed
        return total, metrics | {"loss": total}

    def _error(self, logits: jax.Array, rows: Batch, prefix: str, known: Any) -> jax.Array:
        task, label = rows[f"{prefix}task"], rows[f"{prefix}label"]
        return self.scenario.label_error(logits, task, label, known).mean()

    def _replay_error(self, logits: jax.Array, rows: Batch, known: Any) -> jax.Array:
        if "teacher" not in rows:
            return self._error(logits, rows, "replay_", known)
        temperature = self.loss.temperature if self.loss.distills else 0.0
        task = rows.get("replay_task")
        return self.scenario.teacher_error(logits, rows["teacher"], task, known, temperature).mean()

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Shows the batch as its task does, and draws what is replayed."""
        method, variables, known = self.loss.method, state.variables, self._known(state.step + 1)
        rows, shared = self.present(variables, batch), {"known": known.astype(jnp.float32)}
        if self.loss.remembers and method != "a_gem":
            rows |= self._remembered(state, _MEMORY, "replay_", len(batch["x"]))
            if method == "der_plus":
                rows |= self._remembered(state, _AGAIN, "again_", len(batch["x"]))
                del rows["again_logits"]
            if self.loss.keeps_logits:
                rows["teacher"] = rows.pop("replay_logits")
                shared["filled"] = (variables["memory"]["seen"].sum() > 0).astype(jnp.float32)
        if self.generator:
            memory, key = variables["previous_generator"], step_key(state, _GENERATED)
            rows["replay_x"] = self.generator.draw(memory, state, key, len(batch["x"]))
        if self.loss.looks_back:
            x = rows.get("replay_x", rows["x"])
            rows["teacher"] = self.logits({"classifier": variables["previous"]}, x)
        return rows, shared

    def present(self, variables: Any, batch: Batch) -> Batch:
        """Makes `x`, `task` and `label`, the class within the task, of a batch of the data."""
        x, task, label = batch["x"], batch["task"], batch["label"]
        if self.data.protocol == "permuted":
            return {"x": _permuted(x, variables["pixels"][task]), "task": task, "label": label}
        place = jnp.argsort(variables["classes"])[label]
        return {"x": x, "task": task, "label": place % self.scenario.classes}

    def _remembered(self, state: State, use: int, prefix: str, rows: int) -> Batch:
        """Draws kept rows of earlier tasks; of DER of all that is kept."""
        key = step_key(state, use)
        uniform = batch_rows(lambda shape: jax.random.uniform(key, shape), (rows, 2))
        groups: Any = (self._known(state.step + 1) - 1) * self.scenario.classes
        if self.loss.keeps_logits:
            groups = jnp.int32(1)
        found = episodic.draw(state.variables["memory"], groups, uniform)
        return {f"{prefix}{name}": v for name, v in found.items()}

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        shape, tasks = self.spec.shape, self.data.num_tasks
        params = {
            "classifier": self.classifier.init(init_key(key), jnp.zeros((1, *shape)))["params"]
        }
        network, order_key = params["classifier"], data_key(key)
        variables: dict[str, Any] = {"classes": class_order(order_key, self.spec.num_classes)}
        if self.data.protocol == "permuted":
            variables = {"pixels": pixel_orders(order_key, tasks, int(np.prod(shape)))}
        zeros = jax.tree.map(jnp.zeros_like, network)
        if self.loss.regularizes:
            variables |= {"importance": zeros, "anchor": network, "running": zeros}
        if self.loss.looks_back:
            variables["previous"] = network
        if self.loss.remembers:
            variables["memory"] = self._empty_memory()
        if self.generator:
            variables["generator"] = self.generator.init(key)
            variables["previous_generator"] = self.generator.memory(variables["generator"])
        return new_state(
            key,
            params=params,
            opt_state={"optimizer": self.optimizer.init(params)},
            variables=variables,
            ema=params if self.ema_decay else {},
        )

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """Makes an update; of EWC the last steps of a task estimate the Fisher information."""
        if not self.loss.estimates:
            return self._learn(state, batch)
        within = state.step % self.data.steps_per_task
        learns = within < self.data.steps_per_task - self.loss.fisher_steps
        found: tuple[State, Metrics] = jax.lax.cond(
            learns, self._learn, self._estimate, state, batch
        )
        return found

    def _learn(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        rows, shared = self.inputs(state, batch)
        (_, metrics), gradient = self._gradient(state.params, rows, shared)
        variables = dict(state.variables)
        change = gradient
        if self.loss.regularizes:
            metrics["penalty"], slope = jax.value_and_grad(self._penalty)(state.params, variables)
            change = jax.tree.map(jnp.add, gradient, slope)
        if self.loss.method == "a_gem":
            change = self._projected(state, gradient, len(rows["x"]), shared)
        new = apply_gradient(change, state, self.optimizer, self)
        if self.loss.method == "si":

            def add(path: Any, g: Any, after: Any, before: Any) -> Any:
                return path - g * (after - before)

            networks = [t["classifier"] for t in (gradient, new.params, state.params)]
            variables["running"] = jax.tree.map(add, variables["running"], *networks)
            # The path of a run that starts from another one begins where that one ended.
            kept, begins = variables["anchor"], state.step == 0
            variables["anchor"] = jax.tree.map(
                lambda p, a: jnp.where(begins, p, a), networks[-1], kept
            )
        if self.loss.remembers:
            variables["memory"] = self._offered(state, rows)
        if self.generator:
            share, key = 1 / shared["known"], step_key(state, _MIXED)
            x = self.generator.mixed(rows["x"], rows["replay_x"], share, key)
            variables["generator"], more = self.generator.step(variables["generator"], state, x)
            metrics |= more
        return self._at_the_end(new.replace(variables=variables)), metrics

    def _gradient(self, params: Any, rows: Batch, shared: Any) -> Any:
        def loss(params: Any, rows: Batch, part: Any) -> Any:
            return self.classifier_loss(params, rows, shared, part)

        return value_and_grad(loss, params, rows, accumulate_steps=self.accumulate_steps)

    def _penalty(self, params: Any, variables: Any) -> jax.Array:
        factor = self.loss.strength * (0.5 if self.loss.estimates else 1.0)
        held = params["classifier"], variables["anchor"], variables["importance"]
        return factor * losses.quadratic_penalty(*held)

    def _projected(self, state: State, gradient: Any, rows: int, shared: Any) -> Any:
        """Projects the gradient as A-GEM does; in the first task there is nothing to keep."""
        kept = self._remembered(state, _MEMORY, "", rows)
        _, reference = self._gradient(state.params, kept, shared)
        late = shared["known"] > 1
        return penalties.projected(gradient, jax.tree.map(lambda r: late * r, reference))

    def _offered(self, state: State, rows: Batch) -> episodic.Memory:
        """Offers the examples of a step to the memory, with their logits before its update."""
        kept = {name: rows[name] for name in ("x", "task", "label")}
        if self.loss.keeps_logits:
            kept["logits"] = self.logits(state.params, rows["x"])
        kept = {name: batch_gather(v) for name, v in kept.items()}
        key, size = step_key(state, _RESERVOIR), len(kept["x"])
        group = kept["task"] * self.scenario.classes + kept["label"]
        if self.loss.keeps_logits:
            group = jnp.zeros_like(group)
        return episodic.insert(
            state.variables["memory"], kept, group, jax.random.uniform(key, (size,))
        )

    def _estimate(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """Adds what the batch says of the Fisher information; nothing moves."""
        rows, shared = self.inputs(state, batch)
        (_, metrics), _ = self._gradient(state.params, rows, shared)
        network, task = state.params["classifier"], rows["task"]

        def visible(logits: jax.Array, number_B: jax.Array) -> jax.Array:
            return self.scenario.visible(logits, task[number_B], shared["known"])

        found = penalties.fisher_information(self.classifier, network, rows["x"], visible)
        add = lambda sum_, f: sum_ + f / self.loss.fisher_steps  # noqa: E731
        running = jax.tree.map(add, state.variables["running"], found)
        metrics["penalty"] = self._penalty(state.params, state.variables)
        variables = state.variables | {"running": running}
        return self._at_the_end(state.replace(step=state.step + 1, variables=variables)), metrics

    def _at_the_end(self, state: State) -> State:
        """Keeps what the next tasks need, if this was the last step of a task."""
        if not (self.loss.regularizes or self.loss.looks_back):
            return state
        names = ("importance", "anchor", "running", "previous", "previous_generator")
        kept = {name: v for name, v in state.variables.items() if name in names}
        ended = state.step % self.data.steps_per_task == 0
        kept = jax.lax.cond(ended, self._consolidated, lambda kept, _: kept, kept, state)
        return state.replace(variables=state.variables | kept)

    def _consolidated(self, kept: dict[str, Any], state: State) -> dict[str, Any]:
        network, loss = state.params["classifier"], self.loss
        if loss.looks_back:
            kept = kept | {"previous": network}
        if self.generator:
            memory = self.generator.memory(state.variables["generator"])
            kept = kept | {"previous_generator": memory}
        return kept | penalties.consolidated(kept, network, loss) if loss.regularizes else kept

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums, for each task, the examples of it whose class is found."""
        params, mask_B, known = state.eval_params, batch["mask"], self._known(state.step)
        tasks = jnp.arange(self.data.num_tasks)

        def right(task_B: jax.Array) -> jax.Array:
            rows = self.present(state.variables, batch | {"task": task_B})
            logits = self.logits(params, rows["x"])
            visible = self.scenario.visible(logits, task_B, known)
            return visible.argmax(-1) == self.scenario.target(task_B, rows["label"])

        if self.data.protocol == "permuted":  # every example is one of every task
            rows_TxB = jnp.broadcast_to(mask_B, (len(tasks), len(mask_B)))
            found = jax.lax.map(lambda task: right(jnp.full(mask_B.shape, task)), tasks)
            right_TxB = rows_TxB * found
        else:
            place = jnp.argsort(state.variables["classes"])[batch["label"]]
            task_B = place // self.scenario.classes
            rows_TxB = mask_B * (tasks[:, None] == task_B)
            right_TxB = rows_TxB * right(task_B)
        sums = {
            "count": mask_B.sum(),
            "known": mask_B.sum() * known,
            "right": right_TxB.sum(1),
            "rows": rows_TxB.sum(1),
        }
        return batch_sum(sums)

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turns the counts of each task into accuracies."""
        known, right, rows = (np.asarray(means[n], np.float64) for n in ("known", "right", "rows"))
        each = right / np.maximum(rows, 1e-12)
        begun = np.arange(self.data.num_tasks) < known[..., None] - 0.5
        accuracies = {f"accuracy_task_{t + 1}": each[..., t] for t in range(each.shape[-1])}
        return {"accuracy": (each * begun).sum(-1) / np.maximum(known, 1)} | accuracies

    # What it is used for.

    def features(self, state: State, x: jax.Array) -> dict[str, jax.Array]:
        """Computes the hidden layers of the classifier for examples as tasks show them."""
        watching, layers = watched(self, classifier="classifier")
        watching.logits(state.eval_params, x)
        return layers

    # Behind them.

    def _empty_memory(self) -> episodic.Memory:
        number = jax.ShapeDtypeStruct((), jnp.int32)
        x = jax.ShapeDtypeStruct(self.spec.shape, jnp.float32)
        rows = {"x": x, "task": number, "label": number}
        groups, budget = self.data.num_tasks * self.scenario.classes, self.loss.budget
        if not self.loss.keeps_logits:
            return episodic.empty(groups, budget, rows)
        rows["logits"] = jax.ShapeDtypeStruct((self.scenario.outputs,), jnp.float32)
        return episodic.empty(1, groups * budget, rows)

    def _known(self, step: jax.Array) -> jax.Array:
        """Counts the tasks that were begun within the first `step` steps, at least 1."""
        tasks = self.data.num_tasks
        if self.data.joint:
            return jnp.full_like(step, tasks)
        return jnp.clip(-(-step // self.data.steps_per_task), 1, tasks)


def _permuted(x: jax.Array, pixels_BxD: jax.Array) -> jax.Array:
    """Puts the pixels of each example (B, …) in an order of its own."""
    return jnp.take_along_axis(x.reshape(len(x), -1), pixels_BxD, 1).reshape(x.shape)


def adopt(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """See `families.adopt`: the seed deals classes out to tasks, as the whole state has them."""
    if config.start.what != "state" or other.family != config.family:
        return {}
    return {"seed": other.seed + max(config.start.member, 0)}


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Continual:
    """Builds the family from a config like `configs/continual.py`; raises `ConfigError`."""
    data, loss = read(TaskData, config, "data"), read(Loss, config, "loss")
    model, section = read(Model, config, "model"), read(Generator, config, "generator")
    check(data, loss, config, spec, total_steps)
    share = data.num_tasks if data.protocol == "split" else 1
    scenario = Scenario(loss.scenario, data.num_tasks, spec.num_classes // share)
    kind = loss.generates
    return Continual(
        **shared_fields(config, spec, total_steps),
        data=data,
        model=model,
        loss=loss,
        scenario=scenario,
        classifier=MLP(
            model.hidden,
            (scenario.outputs,),
            activation=model.activation,
            dtype=compute_dtype(config.precision),
        ),
        optimizer=make_optimizer(config.optimizer, total_steps),
        generator=make_generator(kind, section, config, spec, total_steps) if kind else None,
    )
