"""No program hands LAPACK batches, of which some at once hang on a CPU."""

import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import heads
from genjax.engine.run import prepare
from genjax.models import recurrent
from genjax.models.recurrent import Recurrent
from genjax.models.seq2seq import Seq2Seq
from genjax.ops.lapack import one_by_one
from genjax.ops.platform import traced_for
from tests.cli.helpers import ROOT
from tests.contracts import recipes

# Three populations of four layers, as `executor=vmap` makes them: on two cores it hung each time.
_POPULATION = """
import jax, jax.numpy as jnp
from genjax.models.recurrent import Recurrent
net, x = Recurrent(hidden=64, layers=4), jnp.zeros((2, 1, 8))
init = jax.jit(jax.vmap(net.init, (0, None)))
for seed in range(100):
    found = init(jax.random.split(jax.random.key(seed), 3), x)
jax.block_until_ready(found)
print("through")
"""


def batched_calls(f, *args):
    """Names LAPACK's functions that a program for a CPU gives several matrices at once."""
    lowered = jax.jit(f).lower(*args).as_text()
    call = r"custom_call @((?:lapack|blas)_\w+)\(.*?-> \(?tensor<([\dx]+)x\w+>"
    calls = re.findall(call, lowered)
    assert calls
    return {name for name, shape in calls if shape.count("x") > 1}


TOKENS = jnp.zeros((2, 5), int)


@pytest.mark.parametrize(
    "init",
    [
        lambda key: Recurrent(hidden=16, layers=2).init(key, jnp.zeros((2, 5, 8))),
        lambda key: Seq2Seq(7, 7, 8, 8, layers=2).init(key, TOKENS, TOKENS),
    ],
)
def test_a_population_of_recurrent_networks_begins_with_one_matrix_after_another(init):
    keys = jax.random.split(jax.random.key(0), 3)
    plain = jax.nn.initializers.orthogonal()
    assert batched_calls(jax.vmap(lambda key: plain(key, (8, 8))), keys)  # what it is to find
    assert not batched_calls(jax.vmap(init), keys)
    members, alone = jax.jit(jax.vmap(init))(keys), jax.jit(init)(keys[1])
    jax.tree.map(lambda m, a: np.testing.assert_array_equal(m[1], a), members, alone)


def test_a_population_begins_one_member_after_another(tmp_path, monkeypatch):
    """Whatever a family draws its parameters by, as Flax's own recurrent cells."""
    monkeypatch.setattr(recurrent, "one_by_one", lambda f: f)
    run = prepare(recipes.tiny("lstm_lm", tmp_path, executor="vmap", num_seeds=3))
    assert not batched_calls(run.executor._new_state)


def test_heads_give_it_one_matrix_after_another():
    x = jax.random.normal(jax.random.key(0), (60, 9))
    y, C = jnp.arange(60) % 3, jnp.array([0.1, 1.0])
    for fit in (
        lambda x: heads.ridge(x, x[:, :2], C),
        lambda x: heads.linear_svm(x, y, 3, C),
        lambda x: heads.linear_svm(x, y, 3, C, loss="hinge"),
        lambda x: heads.logistic(x, y, 3, C),
    ):
        assert not batched_calls(fit, x)
        assert not batched_calls(jax.vmap(fit), jnp.stack([x, 2 * x]))


def test_it_is_the_batch_elsewhere():
    with traced_for("cuda"):
        assert one_by_one(jnp.linalg.cholesky) is jnp.linalg.cholesky


@pytest.mark.slow
def test_populations_of_recurrent_networks_begin_at_all():
    command = [sys.executable, "-c", _POPULATION]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "through", done.stderr
