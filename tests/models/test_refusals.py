"""Modules refuse what they would broaden in silence, when they are traced."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models import sentence
from genjax.models.recurrent import Recurrent
from genjax.models.time import TimeMLP, sinusoidal
from genjax.models.unet import UNet

B, T, D = 4, 5, 8
X, KEY = jnp.ones((B, T, D)), jax.random.key(0)
TIME, LABEL = jnp.ones(B), jnp.zeros(B, jnp.int32)
IMAGE = jnp.ones((B, 8, 8, 1))


def of(module: Any, *args: Any) -> Callable[[], Any]:
    return lambda: module.init(KEY, *args)


def unet(time: Any) -> Callable[[], Any]:
    return of(UNet((8,), 1, 2, False, 8), IMAGE, time)


MLP = TimeMLP((8,), 8, num_classes=3)
LSTM = Recurrent(cell="lstm", hidden=4)
CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "time (B, 1)": (of(MLP, X, TIME[:, None], LABEL), r"time_B: must have shape \(B,\).*\(4, 1\)"),
    "time of one": (of(MLP, X, TIME[:1], LABEL), r"time_B: .*with B=4 of x, not \(1,\)"),
    "a scalar time": (lambda: sinusoidal(jnp.float32(0), 8), r"time_B: .*not \(\)"),
    "U-Net, time (B, 1)": (unet(TIME[:, None]), r"time_B: .*\(4, 1\)"),
    "U-Net, a scalar time": (unet(jnp.float32(1)), r"time_B: .*not \(\)"),
    "labels (B, 1)": (of(MLP, X, TIME, LABEL[:, None]), r"label_B: must have shape \(B,\)"),
    "no labels": (of(MLP, X, TIME), "label_B: must be an array of integers, not NoneType"),
    "labels nobody takes": (of(TimeMLP((8,), 8), X, TIME, LABEL), "label_B: is given"),
    "float labels": (of(MLP, X, TIME, TIME), "label_B: must hold integers, not float32"),
    "lengths (B, 1)": (of(LSTM, X, LABEL[:, None]), r"lengths_B: must have shape \(B,\)"),
    "a mask for lengths": (of(LSTM, X, np.ones((B, T), bool)), "lengths_B: must hold integers"),
    "too long": (of(LSTM, X, np.full(B, T + 1)), "lengths_B: has 6; must be at least 0"),
    "a mask (B, 1) of places": (
        lambda: sentence.pool(X, jnp.ones((B, 1)), "mean"), r"real_BxT: .*not \(4, 1\)"
    ),
    "an unknown pooling": (
        lambda: sentence.pool(X, jnp.ones((B, T)), "sum"), "kind='sum': must be one of mean, max"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_wrong_shapes_and_dtypes_are_refused(case: str) -> None:
    call, message = CALLS[case]
    with pytest.raises(ValueError, match=message) as error:
        jax.eval_shape(call)
    assert len(str(error.value)) < 300
