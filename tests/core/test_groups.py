"""Rates by pattern: frozen parameters keep their bits, others learn at rates of their own."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from genjax.core import groups
from genjax.core.config import ConfigError
from genjax.core.config import optimizer as section
from genjax.core.optimizer import ema_update, make_optimizer
from tests.contracts.trees import assert_equal, leaves

RNG = np.random.default_rng(0)


def arrays(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


# Of a stack of three layers, with tables below it and a head on top.
PARAMS = {
    "encoder": {
        "embedding": {"tokens": arrays(5, 2)},
        "stack": {"layers": {"dense": {"kernel": arrays(3, 2, 2), "bias": arrays(3, 2)}}},
    },
    "head": {"kernel": arrays(2, 4), "bias": jnp.array([0.0, -0.5, 1e-30, 3.0])},
}
GRADIENT = jax.tree.map(lambda p: arrays(*p.shape), PARAMS)
PLAIN = {"name": "sgd", "learning_rate": 1.0, "b1": 0.0}
STRONG = {"name": "adamw", "learning_rate": 0.1, "weight_decay": 0.3, "clip_norm": 0.5}


def moved(o, n=3, params=PARAMS, decay=0.9):
    """Parameters and their average after n updates, and the last state."""
    optimizer = make_optimizer(o, 10)
    state, ema = optimizer.init(params), params

    @jax.jit
    def update(params, ema, state, step):
        updates, state = optimizer.update(GRADIENT, state, params)
        params = optax.apply_updates(params, updates)
        return params, ema_update(ema, params, decay, step), state

    for step in range(n):
        params, ema, state = update(params, ema, state, jnp.int32(step))
    return params, ema, state


def rates(params):
    """By which multiple of its gradient each number went down, by path."""
    off = jax.tree.map(lambda after, before, g: (before - after) / g, params, PARAMS, GRADIENT)
    return {name.replace(".", "/"): x for name, x in leaves(off).items()}


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_frozen_parameters_keep_their_bits_and_have_no_state(name):
    o = section(**STRONG | {"name": name, "groups": ("head=0", "*/tokens=0")})
    params, ema, state = moved(o)
    for found in (params, ema):
        assert_equal(leaves(found["head"]), leaves(PARAMS["head"]))
        assert_equal(leaves(found["encoder"]["embedding"]), leaves(PARAMS["encoder"]["embedding"]))
    before = PARAMS["encoder"]["stack"]["layers"]["dense"]
    after = params["encoder"]["stack"]["layers"]["dense"]
    assert (after["kernel"] != before["kernel"]).all() and (after["bias"] != before["bias"]).all()
    assert not [n for n in leaves(state) if "head" in n or "tokens" in n]


def test_what_is_frozen_is_a_constant_to_the_others():
    """Not even the norm that clipping bounds knows of it."""
    o = section(**STRONG | {"groups": ("head=0",)})
    alone = make_optimizer(section(**STRONG), 10)
    part = {"encoder": PARAMS["encoder"]}
    updates, _ = alone.update({"encoder": GRADIENT["encoder"]}, alone.init(part), part)
    expected = optax.apply_updates(part, updates)
    tokens = moved(o, 1)[0]["encoder"]["embedding"]["tokens"]
    np.testing.assert_allclose(tokens, expected["encoder"]["embedding"]["tokens"], rtol=1e-6)


def test_the_last_pattern_counts_and_layers_of_a_stack_have_numbers():
    o = section(**PLAIN, groups=("encoder=0.5", "*/layers/1=0", "*/layers/2/dense/bias=2"))
    params = moved(o, 1)[0]
    found = rates(params)
    for path, expected in {
        "encoder/embedding/tokens": 0.5,
        "encoder/stack/layers/dense/kernel": np.reshape([0.5, 0, 0.5], (3, 1, 1)),
        "encoder/stack/layers/dense/bias": np.reshape([0.5, 0, 2], (3, 1)),
        "head/kernel": 1.0,
    }.items():
        shape = found[path].shape
        np.testing.assert_allclose(found[path], np.broadcast_to(expected, shape), atol=1e-3)
    for leaf in ("kernel", "bias"):
        one, before = (t["encoder"]["stack"]["layers"]["dense"][leaf][1] for t in (params, PARAMS))
        assert one.tobytes() == before.tobytes()


def test_a_pattern_of_the_config_takes_the_place_of_the_familys_own():
    o = section(**PLAIN, groups=("encoder/embedding=0", "encoder=0.5"))
    found = groups.read(o, {"encoder": 0.1, "head": 0.2}, "optimizer", "", ()).factors
    assert list(found.items()) == [("head", 0.2), ("encoder/embedding", 0.0), ("encoder", 0.5)]


def test_layers_decay_from_the_top_of_their_stack_to_the_tables_below():
    found = rates(moved(section(**PLAIN, layer_decay=0.5, groups=("*/tokens=4",)), 1)[0])
    layers = found["encoder/stack/layers/dense/kernel"].mean((1, 2))
    np.testing.assert_allclose(layers, [0.125, 0.25, 0.5], rtol=1e-3)
    np.testing.assert_allclose(found["encoder/embedding/tokens"], 4 * 0.0625, rtol=1e-3)
    np.testing.assert_allclose(found["head/kernel"], 1.0, rtol=1e-3)


def test_what_waits_stands_still_and_then_moves_as_if_it_had_seen_all_gradients():
    waits = section(**STRONG | {"unfreeze": ("encoder=2", "encoder/embedding=3")})
    for n, still in ((2, ("embedding", "stack")), (3, ("embedding",)), (4, ())):
        params, ema, _ = moved(waits, n)
        for part in ("embedding", "stack"):
            names = leaves(PARAMS["encoder"][part])
            for found in (params, ema):
                same = [
                    x.tobytes() == names[name].tobytes()
                    for name, x in leaves(found["encoder"][part]).items()
                ]
                assert all(same) if part in still else not any(same)
    free = section(**STRONG | {"weight_decay": 0.0})
    held = section(**STRONG | {"weight_decay": 0.0, "unfreeze": ("encoder=2",)})
    last = [jax.tree.map(jnp.subtract, moved(o, 3)[0], moved(o, 2)[0]) for o in (free, held)]
    np.testing.assert_allclose(
        last[1]["encoder"]["embedding"]["tokens"],
        last[0]["encoder"]["embedding"]["tokens"],
        rtol=1e-3,
    )


def test_no_groups_leave_the_state_as_it_was():
    plain, odd = (leaves(moved(section(**STRONG | c))[2]) for c in ({}, {"groups": ("head=2",)}))
    assert plain.keys() == odd.keys()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"groups": ("hed=0",)}, r"groups='hed=0': names no parameters; there are encoder/emb"),
        ({"unfreeze": ("*/layers/3=1",)}, r"unfreeze='\*/layers/3=1': names no parameters"),
        ({"groups": ("head",)}, "groups='head': must be PATTERN=FACTOR"),
        ({"groups": ("head=-1",)}, "must be PATTERN=FACTOR"),
        ({"groups": ("head=nan",)}, "must be PATTERN=FACTOR"),
        ({"unfreeze": ("head=1.5",)}, "unfreeze='head=1.5': must be PATTERN=STEP"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(fields, message):
    with pytest.raises(ConfigError, match=rf"config\.optimizer\.{message}|{message}"):
        make_optimizer(section(**fields), 10).init(PARAMS)


def test_layers_decay_where_there_are_some():
    with pytest.raises(ConfigError, match=r"config.optimizer.layer_decay=0.5: .* no stack"):
        make_optimizer(section(layer_decay=0.5), 10).init({"head": PARAMS["head"]})


def test_paths_of_one_network_begin_with_its_name():
    o, settings = section(groups=("critic/kernel=0",)), {"section": "critic_optimizer"}
    make_optimizer(o, 10, **settings, within="critic").init(PARAMS["head"])
    with pytest.raises(ConfigError, match=r"config.critic_optimizer.groups=.* generator/bias"):
        make_optimizer(o, 10, **settings, within="generator").init(PARAMS["head"])
