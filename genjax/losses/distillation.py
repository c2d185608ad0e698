"""Distillation: a student learns from what a teacher says of the same examples."""

from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32


def distillation_loss(
    student_BxC: jax.Array, teacher_BxC: jax.Array, temperature: Any = 1.0
) -> jax.Array:
    """Computes `T^2 KL(softmax(teacher / T) || softmax(student / T))`, in nats, (B,).

    T^2 makes up for gradients that shrink as 1 / T^2, so that the weight beside a cross-entropy may
    stay when T changes. Source: Hinton et al. 2015 (Distilling the knowledge in a neural network),
    equation 2 and section 2; the entropy of the teacher, a constant, is subtracted.

    Args:
      student_BxC, teacher_BxC: logits of C classes.
      temperature: T, above 0.

    Examples:
      >>> distillation_loss(jnp.array([[0.0, 0.0]]), jnp.array([[0.0, 0.0]]), 4.0)
      Array([0.], dtype=float32)
    """
    sizes = checks.floats("B C", student_BxC=student_BxC)
    checks.floats("B C", sizes, teacher_BxC=teacher_BxC)
    checks.number("temperature", temperature, above=0)
    student_BxC, teacher_BxC = (
        jax.nn.log_softmax(at_least_float32(x) / temperature) for x in (student_BxC, teacher_BxC)
    )
    divergence_B = (jnp.exp(teacher_BxC) * (teacher_BxC - student_BxC)).sum(-1)
    return jnp.asarray(temperature**2 * divergence_B)
