"""Recurrent networks: padding, directions, steps one by one, dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models.recurrent import Recurrent
from genjax.ops.recurrence import CELLS

STEPS, BATCH, HIDDEN, INPUTS = 5, 3, 4, 6
LENGTHS = np.array([5, 2, 0])


def network(**fields):
    return Recurrent(**{"hidden": HIDDEN, "layers": 2, **fields})


def initial(net, x):
    return jax.jit(net.init)(jax.random.key(0), x)


def outputs(net, x, lengths=None, carry=None, params=None, **kwargs):
    apply = jax.jit(net.apply, static_argnames="train")
    return apply(params or initial(net, x), x, lengths, carry, **kwargs)


def sequences(batch=BATCH, steps=STEPS):
    return jax.random.normal(jax.random.key(1), (batch, steps, INPUTS))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_nothing(cell, bidirectional):
    """Masked rows equal each row alone without its padding, and outputs of padding are 0."""
    net, x = network(cell=cell, bidirectional=bidirectional), sequences()
    params = initial(net, x)
    h, last = outputs(net, x, jnp.asarray(LENGTHS), params=params)
    for b, length in enumerate(LENGTHS):
        assert (h[b, length:] == 0).all()
        if length:
            alone, states = outputs(net, x[b : b + 1, :length], params=params)
            np.testing.assert_allclose(h[b, :length], alone[0], rtol=1e-5, atol=1e-6)
            jax.tree.map(
                lambda a, s, b=b: np.testing.assert_allclose(a[b], s[0], rtol=1e-5, atol=1e-6),
                last,
                states,
            )


@pytest.mark.parametrize("cell", CELLS)
def test_padding_gets_no_gradient(cell):
    net, x = network(cell=cell, bidirectional=True), sequences()
    params = initial(net, x)

    def total(x):
        h, last = outputs(net, x, jnp.asarray(LENGTHS), params=params)
        return jnp.square(h).sum() + sum(jnp.square(s).sum() for s in jax.tree.leaves(last))

    gradient = jax.grad(total)(x)
    for b, length in enumerate(LENGTHS):
        assert (gradient[b, length:] == 0).all()
        assert (gradient[b, :length] != 0).all()


def test_the_future_has_no_effect_and_no_gradient():
    net, x = network(), sequences()
    params = initial(net, x)
    gradient = jax.grad(lambda x: outputs(net, x, params=params)[0][:, 2].sum())(x)
    assert (gradient[:, 3:] == 0).all() and (gradient[:, :3] != 0).all()


def test_both_directions_are_two_runs():
    net, x = network(layers=1, bidirectional=True), sequences()
    params = initial(net, x)
    h, (forward, backward) = outputs(net, x, params=params)
    single = network(layers=1)
    for i, (there, states) in enumerate(((x, forward), (x[:, ::-1], backward))):
        own = {"params": {"Direction_0": params["params"][f"Direction_{i}"]}}
        alone, (last,) = outputs(single, there, params=own)
        alone = alone if i == 0 else alone[:, ::-1]
        np.testing.assert_allclose(h[..., i * HIDDEN : (i + 1) * HIDDEN], alone, rtol=1e-6)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), states, last)


@pytest.mark.parametrize("cell", CELLS)
def test_steps_one_by_one_equal_the_whole(cell):
    net, x = network(cell=cell), sequences()
    params = initial(net, x)
    whole, last = outputs(net, x, params=params)
    carry = net.initial_carry(BATCH)
    for t in range(STEPS):
        h, carry = outputs(net, x[:, t : t + 1], None, carry, params)
        np.testing.assert_allclose(h[:, 0], whole[:, t], rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), carry, last)


def test_an_lstm_remembers_at_first():
    params = network(cell="lstm", layers=1).init(jax.random.key(0), sequences())["params"]
    bias = params["Direction_0"]["bias"].reshape(4, HIDDEN)
    assert (bias[1] == 1).all() and (bias[jnp.array([0, 2, 3])] == 0).all()


@pytest.mark.parametrize("variational", [False, True])
def test_variational_dropout_is_one_mask_for_all_steps(variational):
    net = network(layers=1, dropout=0.5, variational=variational, cell="rnn")
    x = jnp.ones((2, STEPS, INPUTS))
    params = initial(net, x)
    rngs = {"dropout": jax.random.key(2)}
    gradient = jax.grad(lambda x: outputs(net, x, params=params, train=True, rngs=rngs)[0].sum())(x)
    dropped = np.asarray(gradient == 0)
    assert 0 < dropped.mean() < 1
    assert (dropped == dropped[:, :1]).all() == variational


def test_recurrent_dropout_is_of_the_state_alone():
    """At the first step the state is 0, so nothing is dropped; later something is."""
    net, x = network(layers=1, recurrent_dropout=0.5), sequences()
    params = initial(net, x)
    rngs = {"dropout": jax.random.key(2)}
    h, _ = outputs(net, x, params=params)
    dropped, _ = outputs(net, x, params=params, train=True, rngs=rngs)
    np.testing.assert_allclose(dropped[:, 0], h[:, 0], rtol=1e-6)
    assert (dropped[:, 1] != h[:, 1]).any()


def test_no_dropout_outside_training():
    net, x = network(dropout=0.5, recurrent_dropout=0.5), sequences()
    plain_net = network()
    params = initial(net, x)
    assert (outputs(net, x, params=params)[0] == outputs(plain_net, x, params=params)[0]).all()


def test_bfloat16_keeps_states_in_float32():
    net, x = network(dtype=jnp.bfloat16), sequences()
    params = initial(net, x)
    h, last = outputs(net, x, params=params)
    exact, _ = outputs(network(), x, params=params)
    assert h.dtype == jnp.bfloat16 and all(s.dtype == jnp.float32 for s in jax.tree.leaves(last))
    np.testing.assert_allclose(h.astype(jnp.float32), exact, atol=0.03)
    gradient = jax.grad(lambda p: outputs(net, x, params=p)[0].astype(jnp.float32).sum())(params)
    assert all(g.dtype == jnp.float32 for g in jax.tree.leaves(gradient))


@pytest.mark.slow
def test_dropout_is_the_same_over_devices():
    from tests.engine.processes import run_python

    [(output, _)] = run_python(DEVICES, devices=4)
    assert output.strip() == "equal"


DEVICES = """
import warnings; warnings.filterwarnings("ignore")
import jax, numpy as np
from genjax.core.batch import AXIS
from genjax.models.recurrent import Recurrent

def outputs(variables, x):
    net = Recurrent(4, layers=2, dropout=0.5, recurrent_dropout=0.5, bidirectional=True)
    return net.apply(variables, x, train=True, rngs={"dropout": jax.random.key(1)})[0]

x = jax.random.normal(jax.random.key(0), (8, 3, 5))
variables = Recurrent(4, layers=2, bidirectional=True).init(jax.random.key(2), x)
one = outputs(variables, x)
many = jax.pmap(lambda x: outputs(variables, x), axis_name=AXIS)(
    x.reshape(4, 2, 3, 5))
np.testing.assert_allclose(many.reshape(8, 3, 8), one, rtol=1e-5, atol=1e-6)
print("equal")
"""
