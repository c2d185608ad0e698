"""Every loss of every family stands alone: it is what a step minimizes, and JAX transforms it."""

import functools
import importlib
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import families
from genjax.core.family import Family
from tests.families.small import NAMES, family_of, small


def losses(kind):
    """The losses of a class of families by name."""
    return {n: f for n, f in inspect.getmembers(kind, inspect.isfunction) if n.endswith("_loss")}


LOSSES = [(name, loss) for name in NAMES for loss in losses(type(family_of(name)))]


def test_every_loss_that_a_family_defines_is_tested():
    defined = set()
    for name in families.names():
        module = importlib.import_module(f"genjax.families.{name}")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Family):
                defined |= {f.__qualname__ for f in losses(kind).values()}
    assert {losses(type(family_of(name)))[loss].__qualname__ for name, loss in LOSSES} == defined


@functools.cache
def arguments(name, loss):
    """What the step of a small family gives to a loss, what it then reports, and its name there."""
    family, state, batch = small(name)
    step, own = jax.jit(family.step), loss.replace("_loss", "_inputs")
    after, metrics = step(state, batch)
    params, reported = state.params, "loss"
    if loss == "critic_loss":
        params, reported = params["critic"], loss
    if loss == "generator_loss":  # it sees the critic behind its update
        params, reported = params["generator"], loss
        state = after.replace(step=state.step, params=after.params | {"generator": params})
    if loss == "layer_loss":
        params = {network: params[network] for network in ("encoder_0", "decoder_0")}
    if loss == "finetune_loss":
        state = state.replace(step=jnp.int32(family.stage_ends[-1]))
        _, metrics = step(state, batch)
    inputs = getattr(family, own if hasattr(family, own) else "inputs")
    rows, shared = jax.jit(inputs)(state, batch)
    if loss == "critic_loss":
        rows = jax.tree.map(lambda a: a[0], rows)  # of the one update
    return params, rows, shared, metrics, reported


@functools.cache
def alone(name, loss):
    """The loss and its gradient as a program."""
    return jax.jit(jax.value_and_grad(getattr(small(name).family, loss), has_aux=True))


@pytest.mark.parametrize(("name", "loss"), LOSSES)
def test_a_loss_alone_is_what_the_step_reports(name, loss):
    params, rows, shared, metrics, reported = arguments(name, loss)
    (value, own), gradient = alone(name, loss)(params, rows, shared)
    own = own[0] if isinstance(own, tuple) else own  # of a GAN beside batch statistics
    if loss == "pair_loss":  # of word2vec: the sum over pairs, of which the mean is reported
        value, own = value / own["pairs"], {"pairs": own["pairs"]}
    for key, number in {reported: value, **own}.items():
        # Equal to the bit but for the last one of text_vae's: other programs add in other orders.
        np.testing.assert_allclose(number, metrics[key], rtol=1e-6, err_msg=key)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))
    assert any((g != 0).any() for g in jax.tree.leaves(gradient))


@pytest.mark.parametrize(("name", "loss"), LOSSES)
def test_a_loss_of_several_parameters_at_once_is_that_of_each(name, loss):
    params, rows, shared, *_ = arguments(name, loss)
    sets = [params, jax.tree.map(lambda p: 1.5 * p, params)]
    several = jax.jit(jax.vmap(getattr(small(name).family, loss), (0, None, None)))
    values, _ = several(jax.tree.map(lambda *p: jnp.stack(p), *sets), rows, shared)
    each = [alone(name, loss)(p, rows, shared)[0][0] for p in sets]
    np.testing.assert_allclose(values, each, rtol=1e-5)  # products of several rows add otherwise
