"""Recurrent networks against NumPy in float64; gradients against those of a plain scan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from genjax.models.recurrent import CELLS, Recurrent, recurrence, zero_carry

STEPS, BATCH, HIDDEN, INPUTS = 5, 3, 4, 6
LENGTHS = np.array([5, 2, 0])


def logistic(x):
    return 1 / (1 + np.exp(-x))


def one_step(cell, x, h, states):
    """The equations as the papers have them, on one row's x W + b and h U."""
    if cell == "rnn":
        return (np.tanh(x + h),)
    if cell == "gru":
        (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(x, 3), np.split(h, 3)
        r, z = logistic(x_r + h_r), logistic(x_z + h_z)
        return (z * states[0] + (1 - z) * np.tanh(x_n + r * h_n),)
    i, f, g, o = np.split(x + h, 4)
    c = logistic(f) * states[1] + logistic(i) * np.tanh(g)
    return logistic(o) * np.tanh(c), c


def by_hand(cell, x_TxBxG, kernel, carry, lengths, mask, reverse):
    """h after each step, 0 beyond a row's length, and the last states; row by row."""
    h = np.zeros((*x_TxBxG.shape[:2], len(kernel)))
    last = [np.array(s) for s in carry]
    for b, length in enumerate(lengths):
        states = [s[b] for s in carry]
        order = range(length)
        for t in reversed(order) if reverse else order:
            states = one_step(cell, x_TxBxG[t, b], (states[0] * mask[b]) @ kernel, states)
            h[t, b] = states[0]
        for s, value in zip(last, states):
            s[b] = value
    return h, last


def draw(cell, seed=0):
    rng = np.random.default_rng(seed)
    gates, states = CELLS[cell].gates * HIDDEN, CELLS[cell].states
    x = rng.normal(size=(STEPS, BATCH, gates))
    kernel = rng.normal(size=(HIDDEN, gates))
    carry = tuple(rng.normal(size=(BATCH, HIDDEN)) for _ in range(states))
    mask = rng.integers(0, 2, (BATCH, HIDDEN)) * 2.0
    return x, kernel, carry, mask


def keep(lengths=LENGTHS):
    return np.arange(STEPS)[:, None] < lengths


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_cells_equal_their_equations(cell, reverse):
    x, kernel, carry, mask = draw(cell)
    with jax.enable_x64(True):
        h, last = recurrence(
            cell, x, kernel, carry, keep_TxB=keep(), state_mask_BxH=mask, reverse=reverse
        )
        assert h.dtype == jnp.float64
    expected, states = by_hand(cell, x, kernel, carry, LENGTHS, mask, reverse)
    np.testing.assert_allclose(np.where(keep()[..., None], h, 0), expected, rtol=1e-12)
    for s, e in zip(last, states):
        np.testing.assert_allclose(s, e, rtol=1e-12)


def plain(cell, x, kernel, carry, keep, mask, reverse):
    """The same by an ordinary scan, for its automatic gradient."""

    def step(carry, inputs):
        x, keep = inputs
        new = CELLS[cell].update(x, (carry[0] * mask) @ kernel, carry)
        new = jax.tree.map(lambda a, b: jnp.where(keep[:, None], a, b), new, carry)
        return new, new[0]

    last, h = jax.lax.scan(step, carry, (x, keep), reverse=reverse)
    return h, last


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_a_plain_scan(cell, reverse):
    x, kernel, carry, mask = draw(cell)
    rng = np.random.default_rng(1)
    weight, last_weight = rng.normal(size=(STEPS, BATCH, HIDDEN)), rng.normal(size=(BATCH, HIDDEN))

    def total(run):
        def f(x, kernel, carry):
            h, last = run(x, kernel, carry)
            return (h * weight).sum() + sum(((i + 1) * s * last_weight).sum()
                                            for i, s in enumerate(last))  # fmt: skip

        return jax.jit(jax.grad(f, (0, 1, 2)))

    with jax.enable_x64(True):
        ours = total(lambda *a: recurrence(
            cell, *a, keep_TxB=keep(), state_mask_BxH=mask, reverse=reverse))  # fmt: skip
        expected = total(lambda *a: plain(cell, *a, jnp.asarray(keep()), mask, reverse))
        got, want = ours(x, kernel, carry), expected(x, kernel, carry)
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want)):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_without_masks_pass_check_grads(cell):
    x, kernel, carry, _ = draw(cell)
    with jax.enable_x64(True):
        check_grads(lambda *a: recurrence(cell, *a), (x, kernel, carry), 1, ("rev",))


def network(**fields):
    return Recurrent(**{"hidden": HIDDEN, "layers": 2, **fields})


def outputs(net, x, lengths=None, carry=None, params=None, **kwargs):
    variables = params or net.init(jax.random.key(0), x)
    return net.apply(variables, x, lengths, carry, **kwargs)


def sequences(batch=BATCH, steps=STEPS):
    return jax.random.normal(jax.random.key(1), (batch, steps, INPUTS))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_nothing(cell, bidirectional):
    """Masked rows equal each row alone without its padding, and outputs of padding are 0."""
    net, x = network(cell=cell, bidirectional=bidirectional), sequences()
    params = net.init(jax.random.key(0), x)
    h, last = outputs(net, x, jnp.asarray(LENGTHS), params=params)
    for b, length in enumerate(LENGTHS):
        assert (h[b, length:] == 0).all()
        if length:
            alone, states = outputs(net, x[b : b + 1, :length], params=params)
            np.testing.assert_allclose(h[b, :length], alone[0], rtol=1e-5, atol=1e-6)
            jax.tree.map(
                lambda a, s, b=b: np.testing.assert_allclose(a[b], s[0], rtol=1e-5, atol=1e-6),
                last, states,
            )  # fmt: skip


@pytest.mark.parametrize("cell", CELLS)
def test_padding_gets_no_gradient(cell):
    net, x = network(cell=cell, bidirectional=True), sequences()
    params = net.init(jax.random.key(0), x)

    def total(x):
        h, last = outputs(net, x, jnp.asarray(LENGTHS), params=params)
        return jnp.square(h).sum() + sum(jnp.square(s).sum() for s in jax.tree.leaves(last))

    gradient = jax.grad(total)(x)
    for b, length in enumerate(LENGTHS):
        assert (gradient[b, length:] == 0).all()
        assert (gradient[b, :length] != 0).all()


def test_the_future_has_no_effect_and_no_gradient():
    net, x = network(), sequences()
    params = net.init(jax.random.key(0), x)
    gradient = jax.grad(lambda x: outputs(net, x, params=params)[0][:, 2].sum())(x)
    assert (gradient[:, 3:] == 0).all() and (gradient[:, :3] != 0).all()


def test_both_directions_are_two_runs():
    net, x = network(layers=1, bidirectional=True), sequences()
    params = net.init(jax.random.key(0), x)
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
    params = net.init(jax.random.key(0), x)
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
    params = net.init(jax.random.key(0), x)
    rngs = {"dropout": jax.random.key(2)}
    gradient = jax.grad(lambda x: outputs(net, x, params=params, train=True, rngs=rngs)[0].sum())(x)
    dropped = np.asarray(gradient == 0)
    assert 0 < dropped.mean() < 1
    assert (dropped == dropped[:, :1]).all() == variational


def test_recurrent_dropout_is_of_the_state_alone():
    """At the first step the state is 0, so nothing is dropped; later something is."""
    net, x = network(layers=1, recurrent_dropout=0.5), sequences()
    params = net.init(jax.random.key(0), x)
    rngs = {"dropout": jax.random.key(2)}
    h, _ = outputs(net, x, params=params)
    dropped, _ = outputs(net, x, params=params, train=True, rngs=rngs)
    np.testing.assert_allclose(dropped[:, 0], h[:, 0], rtol=1e-6)
    assert (dropped[:, 1] != h[:, 1]).any()


def test_no_dropout_outside_training():
    net, x = network(dropout=0.5, recurrent_dropout=0.5), sequences()
    plain_net = network()
    params = net.init(jax.random.key(0), x)
    assert (outputs(net, x, params=params)[0] == outputs(plain_net, x, params=params)[0]).all()


def test_bfloat16_keeps_states_in_float32():
    net, x = network(dtype=jnp.bfloat16), sequences()
    params = net.init(jax.random.key(0), x)
    h, last = outputs(net, x, params=params)
    exact, _ = outputs(network(), x, params=params)
    assert h.dtype == jnp.bfloat16 and all(s.dtype == jnp.float32 for s in jax.tree.leaves(last))
    np.testing.assert_allclose(h.astype(jnp.float32), exact, atol=0.03)
    gradient = jax.grad(lambda p: outputs(net, x, params=p)[0].astype(jnp.float32).sum())(params)
    assert all(g.dtype == jnp.float32 for g in jax.tree.leaves(gradient))


def test_zero_carry_is_the_default():
    net, x = network(cell="lstm"), sequences()
    params = net.init(jax.random.key(0), x)
    zero = (zero_carry("lstm", BATCH, HIDDEN),) * 2
    assert (outputs(net, x, None, zero, params)[0] == outputs(net, x, params=params)[0]).all()


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
