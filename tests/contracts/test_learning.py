"""Contract 7: what is to fall falls, and nothing degenerate makes a number that is not finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.capabilities import Samples
from genjax.core.config import ConfigError
from genjax.core.family import State
from tests.contracts import recipes
from tests.contracts.trees import leaves

# What falls in a family whose training has no metric `loss`, and the optimizer sections that stand
# still meanwhile: of two players, one is measured while the other waits. A name `eval/…` is of the
# evaluation: the losses of two stages cannot be compared.
FALLS = {
    "gan": ("critic_loss", ("optimizer",)),
    "stacked_autoencoder": ("eval/reconstruction", ()),
    "word2vec": ("eval/loss", ()),  # that of a batch depends on how rare its words are
    "stacked_autoencoder+labels+stages+ema": ("eval/cross_entropy", ()),
}

# Steps between two looks, and of all: of tasks the first alone, as every other begins anew.
SPANS = {"continual": (1, 4), "continual+domain+permuted+joint": (4, 20)}

# By name or family: plain gradient descent on sums takes what suits their size; else 0.02.
RATES = {
    "word2vec": 0.1,
    "word2vec_cbow": 0.5,
    "word2vec_cbow+softmax+sum": 0.02,
    "word2vec_skipgram+hierarchical_softmax+fixed": 0.2,
}


@pytest.fixture(params=recipes.marked(recipes.names(), by_name=tuple(recipes.VARIANTS)))
def name(request):
    """Every recipe that differs; variants, which learn as they do, by name."""
    return request.param


def with_rates(state: State, rates: dict[str, float]) -> State:
    """The state with other learning rates, by optimizer section."""
    opt_state = dict(state.opt_state)
    for section, rate in rates.items():
        numbers = opt_state[section].hyperparams | {"learning_rate": jnp.float32(rate)}
        opt_state[section] = opt_state[section]._replace(hyperparams=numbers)
    return state.replace(opt_state=opt_state)


def with_params(state: State, change) -> State:
    return state.replace(params=jax.tree.map(change, state.params))


def assert_finite(tree):
    bad = [name for name, x in leaves(tree).items() if not np.isfinite(x).all()]
    assert not bad, f"not finite: {bad}"


def test_the_loss_falls(name, scanned):
    run = scanned(name)
    metric, still = FALLS.get(name) or FALLS.get(run.config.family, ("loss", ()))
    rate = RATES.get(name) or RATES.get(run.config.family, 0.02)
    rates = {s: 0.0 if s in still else rate for s in recipes.optimizer_sections(run.config)}
    state = with_rates(run.executor.init(), rates)
    held_out = metric.removeprefix("eval/")
    values = []
    each, steps = SPANS.get(name) or SPANS.get(run.config.family, (4, run.total_steps))
    for first in range(0, steps, each):
        state, metrics = run.executor.run(state, first, each)
        if held_out != metric:
            metrics = run.executor.evaluate(state)
        assert held_out in metrics, f"tell in FALLS what falls in {run.config.family}: {[*metrics]}"
        values.append(float(np.mean(np.atleast_1d(metrics[held_out])[:each])))
    assert_finite(state)
    assert np.mean(values[-2:]) < values[0] - 0.02 * abs(values[0]), values


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(jnp.zeros_like, id="zero"),  # a critic that is flat: the norm's square root
        pytest.param(lambda p: 30 * p, id="large"),  # saturated logits
        pytest.param(lambda p: jnp.full_like(p, 1e-20), id="tiny"),  # squares underflow
    ],
)
def test_steps_stay_finite_at_degenerate_parameters(name, change, scanned):
    executor = scanned(name).executor
    state = with_params(executor.init(), change)
    state, metrics = executor.run(state, 0, 2)
    assert_finite(state)
    assert_finite(metrics)


def evaluate(run, state, batch):
    return leaves(jax.jit(run.family.evaluate)(state, batch))


def test_evaluation_of_masked_rows_equals_that_of_the_others(name, scanned):
    run = scanned(name)
    state = run.executor.init()
    source = run.dataset.test
    plan = source.evaluation(6)
    first = next(iter(plan)) if source.streamed else jax.tree.map(lambda x: x[0], plan)
    batch = source.fetch(jax.tree.map(jnp.asarray, source.arrays), first)
    keep = jnp.array([1, 0, 1, 1, 0, 1], jnp.float32)
    some = evaluate(run, state, batch | {"mask": keep})
    rows = np.flatnonzero(keep)
    subset = evaluate(run, state, {k: v[rows] for k, v in batch.items()} | {"mask": jnp.ones(4)})
    none = evaluate(run, state, batch | {"mask": jnp.zeros(6)})
    assert some["count"] == 4 and none["count"] == 0
    tolerance = 0.02 if run.config.precision == "bfloat16" else 1e-5
    for metric, value in subset.items():
        np.testing.assert_allclose(some[metric], value, rtol=tolerance, atol=tolerance)
        assert (none[metric] == 0).all()


def test_samples_are_finite_and_in_the_range_of_the_data(name, scanned):
    run = scanned(name)
    if not isinstance(run.family, Samples):
        with pytest.raises(ConfigError, match="no samples"):
            run.executor.sample(run.executor.init(), 4)
        return
    for change in (lambda p: p, jnp.zeros_like, lambda p: 30 * p):
        x = run.executor.sample(with_params(run.executor.init(), change), 4)
        if size := run.dataset.spec.vocab_size:
            assert x.shape[0] == 4 and x.ndim == 2 and x.dtype == np.int32
            assert (x >= 0).all() and (x < max(size, run.dataset.spec.target_vocab_size)).all()
            continue
        assert x.shape == (4, *run.dataset.spec.shape) and x.dtype == np.float32
        assert np.isfinite(x).all()
