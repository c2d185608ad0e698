"""Metrics that share an array are those that do not."""

import jax.numpy as jnp
import numpy as np
import pytest

from genjax.engine import step_metrics
from genjax.ops.platform import traced_for


@pytest.mark.parametrize("names", [("loss",), ("loss", "kl", "nll")])
@pytest.mark.parametrize(("platform", "together"), [("cpu", False), ("cuda", True)])
def test_each_step_is_found_where_it_was_put(names, platform, together) -> None:
    found = {name: np.float32([0, 10 + k, 20 + k]) for k, name in enumerate(names)}
    with traced_for(platform):
        rows = step_metrics.empty(dict.fromkeys(names), 3)
        assert len(rows) == (1 if together else len(names))
        for i in (1, 2):
            rows = step_metrics.put(
                rows, jnp.int32(i), {n: jnp.float32(x[i]) for n, x in found.items()}
            )
        got = step_metrics.by_name(rows)
    assert got.keys() == found.keys()
    for name, x in found.items():
        np.testing.assert_array_equal(got[name], x)
