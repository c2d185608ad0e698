"""What a program hands to the training loop, and what it is handed back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from genjax.core.family import State
from genjax.engine.best import Best


class Hooks(NamedTuple):
    """What a program adds to the loop, which knows neither pictures nor scores.

    Attributes:
      picture: samples (n, …), in the range of the data, to an image (H, W, C) uint8 or to a text.
      scorer: samples to numbers that are written under `eval/`; process 0 alone calls it.
      score_names: the names of these numbers.
      pairs: held-out examples (n, …) and what `outputs` makes of them to such an image or text,
        which is shown instead of samples for a family that has no prior.
      outputs: of (state, examples), pure; by default the family's `reconstruct`, if it can.
      said: lines that are logged once all is checked, before any other.
      labels: returns the classes (n,) of the samples that are scored; None: they have none.
    """

    picture: Callable[[np.ndarray], np.ndarray | str] | None = None
    scorer: Callable[[np.ndarray], Mapping[str, float]] | None = None
    score_names: tuple[str, ...] = ()
    pairs: Callable[[np.ndarray, np.ndarray], np.ndarray | str] | None = None
    outputs: Callable[[State, jax.Array], jax.Array] | None = None
    said: tuple[str, ...] = ()
    labels: Callable[[], np.ndarray | None] = lambda: None


NO_HOOKS = Hooks()


@dataclass
class Summary:
    """How a run ended.

    Attributes:
      step, total_steps: where it is and where it would end.
      first_step: where this process began: 0, or the step that it resumed from.
      signal: the number of the signal that stopped it, None if it is through.
      evaluation: the last evaluation's numbers, by name.
      best: the best evaluation by `best_metric`, whose state is kept.
      seconds: of this process's part of the run, by `Clock.PARTS`, and `total`.
      steps_per_second: of training alone: without compilation, evaluation, samples and saving.
      flops_per_second, gemm_rate: achieved, and the machine's measured matrix product rate.
    """

    step: int
    total_steps: int
    first_step: int = 0
    signal: int | None = None
    evaluation: dict[str, Any] = field(default_factory=dict)
    best: Best | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    steps_per_second: float = 0.0
    flops_per_second: float = 0.0
    gemm_rate: float = 0.0
