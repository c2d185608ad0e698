"""Contracts 1 and 2: scanned equals looped, and a member equals the single run."""

import numpy as np
import pytest

from genjax import families
from genjax.engine.loop import prepare
from tests.contracts import recipes
from tests.contracts.trees import assert_close, assert_equal, leaves, member


def test_every_family_has_a_recipe():
    assert {recipes.load(recipe).family for recipe in recipes.recipes()} == set(families.names())


def test_scanned_steps_equal_looped_ones_bit_for_bit(name, scanned, folder):
    scan = scanned(name).executor
    config = recipes.lipschitz(recipes.tiny(name, folder, executor="loop"))
    loop = prepare(config).executor
    assert (scan.chunk, loop.chunk) == (4, 1)
    state, rows = scan.init(), []
    for first, n in ((0, 4), (4, 3)):
        state, metrics = scan.run(state, first, n)
        rows.append(leaves(metrics))
    looped, looped_rows = loop.init(), []
    for i in range(7):
        looped, metrics = loop.run(looped, i, 1)
        looped_rows.append(leaves(metrics))
    assert int(state.step) == 7
    assert_equal(leaves(state), leaves(looped))
    for metric in rows[0]:
        each = [row[metric] for row in looped_rows]
        np.testing.assert_allclose(rows[0][metric], np.mean(each[:4]), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(rows[1][metric], np.mean(each[4:]), rtol=1e-5, atol=1e-6)


def test_a_member_of_a_population_equals_the_single_run(name, scanned, folder):
    if scanned(name).dataset.train.streamed:
        pytest.skip("a population needs its data on the device")
    seeds, factors = (3, 8), (1.0, 0.5)
    config = recipes.lipschitz(recipes.tiny(name, folder, executor="vmap"))
    sections = recipes.optimizer_sections(config)
    rates = {s: [config[s].learning_rate * f for f in factors] for s in sections}
    swept = {f"{s}.learning_rate": values for s, values in rates.items()}
    population = prepare(config, seeds=seeds, hyperparameters=swept).executor
    start = population.init()
    begun = leaves(start)
    state, _ = population.run(start, 0, 4)
    state, metrics = population.run(state, 4, 1)
    evaluation = population.evaluate(state)
    for i, seed in enumerate(seeds):
        changes = {f"{s}__learning_rate": rates[s][i] for s in sections}
        single_config = recipes.tiny(name, folder, seed=seed, **changes)
        single = prepare(recipes.lipschitz(single_config)).executor
        alone, _ = single.run(single.init(), 0, 4)
        alone, alone_metrics = single.run(alone, 4, 1)
        fraction = recipes.tolerance(config)
        assert_close(member(leaves(state), i), leaves(alone), member(begun, i), fraction)
        for actual, expected in ((metrics, alone_metrics), (evaluation, single.evaluate(alone))):
            for metric in expected:
                np.testing.assert_allclose(
                    actual[metric][i], expected[metric], rtol=10 * fraction, atol=fraction
                )
    finals = leaves(state)
    moved = [n for n in finals if n.startswith("params") and not np.array_equal(*finals[n])]
    assert moved, "members with different seeds and rates are the same"
