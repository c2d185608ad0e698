"""Layer by layer: a stage moves its own layer alone, as the same layer trained by itself would."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.engine.run import prepare
from genjax.families import stacked_autoencoder
from tests.contracts.trees import leaves

LAYERS, STAGE = (12, 8), 5  # steps of a stage; fine-tuning follows


def config(**changes):
    c = stacked_autoencoder.default_config()
    c.update({"steps": 20, "batch_size": 16, "log_every": 5})
    c.model.layers = LAYERS
    c.loss.update({"pretrain": (0.25, 0.25), "corruption_level": (0.2, 0.3)})
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return c


LABELS = {"loss__finetune": "labels", "data__num_labeled": 100}
KINDS = [{}, {"ema_decay": 0.9, **LABELS}]


@pytest.fixture(scope="module", params=KINDS, ids=["reconstruction", "labels"])
def states(request):
    """The states after 0, 5, 10, 15 and 20 steps, as leaves by name, and the chunks' metrics."""
    executor = prepare(config(**request.param)).executor
    state, found, metrics = executor.init(), [], []
    for first in range(0, 20, STAGE):
        found.append(leaves(state))
        state, chunk = executor.run(state, first, STAGE)
        metrics.append({name: float(value[:STAGE].mean()) for name, value in chunk.items()})
    return [*found, leaves(state)], metrics


def moved(before, after):
    """The networks whose parameters differ, and those whose optimizer state does."""
    names = [n for n in before if not np.array_equal(before[n], after[n])]
    networks = {n.split(".")[1] for n in names if n.startswith("params")}
    moments = {p for n in names if n.startswith("opt_state") for p in n.split(".") if "coder_" in p}
    assert moments <= networks
    return networks


def test_a_stage_moves_its_own_networks_alone(states):
    found, metrics = states
    labels = "params.classifier.kernel" in found[0]
    whole = {"encoder_0", "encoder_1"} | ({"classifier"} if labels else {"decoder_0", "decoder_1"})
    expected = [{"encoder_0", "decoder_0"}, {"encoder_1", "decoder_1"}, whole, whole]
    assert [moved(a, b) for a, b in itertools.pairwise(found)] == expected
    assert [m["stage"] for m in metrics] == [0, 1, 2, 2]


def test_moving_averages_follow_and_frozen_layers_keep_theirs(states):
    for leaf in states[0]:
        for name in leaf:
            if name.startswith("ema."):
                start, at = states[0][0], leaf
                same = np.array_equal(at["params" + name[3:]], start["params" + name[3:]])
                assert np.array_equal(at[name], start[name]) == same


def test_averages_of_late_layers_forget_their_initial_values():
    """The average begins with the stage: at its first step it is 0.1 of what was there before."""
    c = config(ema_decay=0.999, **LABELS)
    executor = prepare(c).executor
    state = executor.init()
    state = state.replace(step=state.step + 2 * STAGE)
    initial = leaves(state.ema)["classifier.kernel"]
    state, _ = executor.run(state, 2 * STAGE, 1)
    params, average = leaves(state.params), leaves(state.ema)["classifier.kernel"]
    moved = params["classifier.kernel"] - initial
    np.testing.assert_allclose(average - initial, 0.9 * moved, atol=1e-6)
    assert np.abs(moved).max() > 1e-4


def test_first_layer_equals_a_run_of_that_layer_alone():
    """Its optimizer and its schedule are its own: the other stages leave no trace in it."""
    o = {"pretrain_optimizer__schedule": "linear", "pretrain_optimizer__warmup_steps": 2}
    stack = prepare(config(**o)).executor
    own = {"model__layers": LAYERS[:1], "loss__pretrain": (1.0,), "loss__corruption_level": (0.2,)}
    alone = prepare(config(steps=STAGE, **own, **o)).executor
    start, single = stack.init(), alone.init()
    names = ("encoder_0", "decoder_0")
    single = single.replace(params={n: jax.tree.map(jnp.array, start.params[n]) for n in names})
    state, _ = stack.run(start, 0, STAGE)
    single, _ = alone.run(single, 0, STAGE)
    for name in names:
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
            state.params[name],
            single.params[name],
        )


def family(**changes):
    c = config(**changes)
    return stacked_autoencoder.build(c, data.load(c.data).spec, 20)


def a_batch(n=16):
    source = data.load(config().data).train
    return source.fetch(jax.tree.map(jnp.asarray, source.arrays), jnp.arange(n))


def test_second_layer_sees_clean_codes_and_reconstructs_them():
    """Without corruption its loss is that of its own two layers on the first layer's codes."""
    f = family(loss__corruption="none")
    state, batch = f.init(jax.random.key(0)), a_batch()
    state = state.replace(step=jnp.int32(STAGE))
    _, metrics = f.step(state, batch)
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), state.params)

    def dense(x, name):
        return x @ p[name]["kernel"] + p[name]["bias"]

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    h = sigmoid(dense(np.asarray(batch["x"]).reshape(16, -1), "encoder_0"))
    logits = dense(sigmoid(dense(h, "encoder_1")), "decoder_1")
    expected = (np.logaddexp(0, logits) - h * logits).mean()
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


def test_corruption_is_for_pretraining_alone():
    batch, key = a_batch(), jax.random.key(0)
    clean, noisy = family(loss__corruption="none"), family(loss__corruption_level=(0.9, 0.9))
    mask = {"mask": jnp.ones(16)}
    state = clean.init(key)
    for step, same in ((0, False), (STAGE, False), (2 * STAGE, True)):
        at = state.replace(step=jnp.int32(step))
        values = [f.step(at, batch)[1]["loss"] for f in (clean, noisy)]
        assert (values[0] == values[1]) == same
    assert clean.evaluate(state, batch | mask) == noisy.evaluate(state, batch | mask)


def test_fine_tuning_sees_the_labeled_examples_alone():
    f, batch = family(**LABELS), a_batch()
    shown = {"labeled_x": batch["x"][::-1], "labeled_label": batch["label"][::-1]}
    state = f.init(jax.random.key(0)).replace(step=jnp.int32(2 * STAGE))
    a = f.step(state, {"x": batch["x"], **shown})
    b = f.step(state, {"x": 1 - batch["x"], **shown})
    assert a[1]["loss"] == b[1]["loss"]
    jax.tree.map(np.testing.assert_array_equal, a[0].params, b[0].params)


def test_classes_and_their_error():
    f = family(loss__finetune="labels")
    state, batch = f.init(jax.random.key(0)), a_batch(50)
    p = f.classify(state, batch["x"])
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)
    sums = f.evaluate(state, batch | {"mask": jnp.ones(50)})
    assert sums["error"] == (p.argmax(-1) != batch["label"]).sum()
    expected = -jnp.log(p[jnp.arange(50), batch["label"]]).sum()
    np.testing.assert_allclose(sums["cross_entropy"], expected, rtol=1e-4)


def test_reconstruction_goes_up_the_stack_and_down():
    f, x = family(), a_batch()["x"]
    state = f.init(jax.random.key(0))
    code = f.encode(state, x)
    assert code.shape == (16, LAYERS[-1]) and ((code > 0) & (code < 1)).all()
    np.testing.assert_array_equal(f.decode(state, code), f.reconstruct(state, x))
