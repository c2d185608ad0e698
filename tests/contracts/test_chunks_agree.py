"""Contract 1: scanned steps equal looped ones. And: every family is under contract.

`test_resume` shows it of more recipes, whose runs go in steps at first and then in chunks;
here each step is looked at, of one family of each kind.
"""

import numpy as np
import pytest

from genjax import families
from genjax.engine.run import prepare
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves, of_steps

OTHERS = tuple(n for n in recipes.names() if n not in ("autoencoder", "gan", "gpt"))


def test_every_family_has_a_recipe():
    assert {recipes.load(recipe).family for recipe in recipes.recipes()} == set(families.names())


@pytest.fixture(params=recipes.marked(recipes.names(), by_name=OTHERS))
def name(request):
    """Three recipes; the others by name."""
    return request.param


@pytest.mark.slow  # of programs as they are compiled for users
def test_scanned_steps_equal_looped_ones_bit_for_bit(name, scanned, folder):
    scan = scanned(name).executor
    config = recipes.lipschitz(recipes.tiny(name, folder, executor="loop"))
    loop = prepare(config).executor
    assert (scan.chunk, loop.chunk) == (4, 1)
    state, rows = scan.init(), []
    for first, n in ((0, 4), (4, 3)):
        state, metrics = scan.run(state, first, n)
        rows.append(of_steps(metrics, n))
    looped, looped_rows = loop.init(), []
    for i in range(7):
        looped, metrics = loop.run(looped, i, 1)
        looped_rows.append(of_steps(metrics, 1))
    assert int(state.step) == 7
    assert_equal(leaves(state), leaves(looped))
    assert_equal(joined(rows), joined(looped_rows))


def joined(rows):
    return {metric: np.concatenate([row[metric] for row in rows]) for metric in rows[0]}
