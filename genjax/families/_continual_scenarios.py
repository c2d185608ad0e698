"""What is asked of a classifier that has learned tasks: the outputs that take part, and errors."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from genjax import losses

_OUT = -1e30  # the logit of a class that takes no part


@dataclass(frozen=True)
class Scenario:
    """The outputs of a network (B, O) as heads (B, H, W): one for each task, or one for all.

    Source: van de Ven, Tuytelaars and Tolias 2022 (Three types of incremental learning).

    Attributes:
      name: `task` (a head for each task, which is told), `domain` (one head, of the classes within
        a task) or `class` (one head, of the classes of all tasks).
      num_tasks: of the sequence.
      classes: of each task.
    """

    name: str
    num_tasks: int
    classes: int

    @property
    def outputs(self) -> int:
        """Returns the number O of outputs."""
        return self.classes if self.name == "domain" else self.classes * self.num_tasks

    @property
    def heads(self) -> int:
        """Returns the number H of heads."""
        return self.num_tasks if self.name == "task" else 1

    def target(self, task_B: jax.Array, label_B: jax.Array) -> jax.Array:
        """Computes the place in `visible` of a class within a task, int32 (B,)."""
        return task_B * self.classes + label_B if self.name == "class" else label_B

    def visible(self, logits_BxO: jax.Array, task_B: jax.Array, known: Any) -> jax.Array:
        """Returns the logits (B, W) among which the class of an example is looked for.

        Args:
          logits_BxO: of the network.
          task_B: of each example, which `task` alone looks at.
          known: number of tasks so far, whose classes take part.
        """
        heads_BxHxW = self._heads(logits_BxO)
        if self.name == "task":
            return jnp.take_along_axis(heads_BxHxW, task_B[:, None, None], 1)[:, 0]
        return self._of_tasks(heads_BxHxW, known)[:, 0]

    def label_error(
        self, logits_BxO: jax.Array, task_B: jax.Array, label_B: jax.Array, known: Any
    ) -> jax.Array:
        """Computes the cross-entropy of the class, (B,)."""
        visible = self.visible(logits_BxO, task_B, known)
        return losses.label_cross_entropy(visible, self.target(task_B, label_B))

    def teacher_error(
        self,
        logits_BxO: jax.Array,
        teacher_BxO: jax.Array,
        task_B: Any,
        known: Any,
        temperature: float,
    ) -> jax.Array:
        """Computes how far outputs are from what the network behind the task before said, (B,).

        Args:
          logits_BxO: of the network.
          teacher_BxO: of that network.
          task_B: of each example; None where nobody knows it: in the scenario `task` the mean over
            the heads of all earlier tasks is taken (van de Ven and Tolias 2019, appendix A).
          known: number of tasks so far, the current one included.
          temperature: of soft targets; 0: its likeliest class is the target.
        """
        before = jnp.maximum(known - 1, 1)
        student = self._of_tasks(self._heads(logits_BxO), known)
        teacher = self._of_tasks(self._heads(teacher_BxO), before)
        rows, width = student.shape[:2], student.shape[-1]
        student, teacher = student.reshape(-1, width), teacher.reshape(-1, width)
        if temperature:
            error = losses.distillation_loss(student, teacher, temperature)
        else:
            error = losses.label_cross_entropy(student, teacher.argmax(-1))
        return (error.reshape(rows) * self._weights(task_B, before)).sum(-1)

    def logit_error(
        self, logits_BxO: jax.Array, kept_BxO: jax.Array, task_B: jax.Array
    ) -> jax.Array:
        """Computes the mean squared distance (B,) to kept logits, in `task` of the own head."""
        known = self.num_tasks
        own, kept = (self.visible(x, task_B, known) for x in (logits_BxO, kept_BxO))
        return losses.squared_error(own, kept)

    def _heads(self, logits_BxO: jax.Array) -> jax.Array:
        return logits_BxO.reshape(len(logits_BxO), self.heads, -1)

    def _of_tasks(self, heads_BxHxW: jax.Array, known: Any) -> jax.Array:
        """Leaves out the classes of all but the first `known` tasks, where one head has them."""
        if self.name != "class":
            return heads_BxHxW
        task_W = jnp.arange(heads_BxHxW.shape[-1]) // self.classes
        return jnp.where(task_W < known, heads_BxHxW, _OUT)

    def _weights(self, task_B: Any, before: Any) -> jax.Array:
        """Weighs the heads, (B or 1, H)."""
        if self.name != "task":
            return jnp.ones((1, 1))
        if task_B is not None:
            return jax.nn.one_hot(task_B, self.num_tasks)
        early_H = jnp.arange(self.num_tasks) < before
        return jnp.asarray(early_H[None] / before)
