"""M2: its bounds against sums over classes by hand, and what it says of examples without labels."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from genjax.core.config import ConfigError
from genjax.engine.run import prepare
from genjax.families import semi_supervised_vae

ROWS, CLASSES = 5, 10


def config(**changes):
    c = semi_supervised_vae.default_config()
    c.update({"steps": 4, "batch_size": 16})
    c.model.update(latent_dim=3, encoder_hidden=(8,), decoder_hidden=(8,), classifier_hidden=(8,))
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return c.lock()


@functools.cache
def made(**changes):
    family = prepare(config(**changes)).family
    state = family.init(jax.random.key(0))
    drawn = lambda p: p + 0.3 * jax.random.normal(jax.random.key(p.size), p.shape)  # noqa: E731
    return family, state.replace(params=jax.tree.map(drawn, state.params))


@functools.cache
def rows():
    rng = np.random.default_rng(0)
    normal = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    uniform = lambda: jnp.asarray(rng.uniform(size=(ROWS, 8, 8, 1)), jnp.float32)  # noqa: E731
    label = jnp.asarray(rng.integers(0, CLASSES, ROWS), jnp.int32)
    noise = {"noise": normal(ROWS, 3), "labeled_noise": normal(ROWS, 3)}
    return {"x": uniform(), "labeled_x": uniform(), "labeled_label": label} | noise


def bound(family, params, x, label, noise):
    """L(x, y) of the same class for all rows, float64 from the outputs of both networks."""
    mean, log_variance = (np.asarray(a, np.float64) for a in family.q(params, x, label))
    z = mean + np.exp(log_variance / 2) * np.asarray(noise, np.float64)
    inputs = np.concatenate([z, np.eye(CLASSES)[np.asarray(label)]], -1)
    logits = family.decoder.apply({"params": params["decoder"]}, jnp.asarray(inputs, jnp.float32))
    logits = np.asarray(logits, np.float64).reshape(len(x), -1)
    pixels = np.asarray(x, np.float64).reshape(len(x), -1)
    nll = (np.logaddexp(0, logits) - pixels * logits).sum(-1)
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(-1)
    return nll + math.log(CLASSES) + kl


def test_the_loss_is_equations_6_to_9_with_a_sum_over_all_classes():
    weights = {"loss__alpha": 0.7, "loss__labeled_weight": 0.3, "loss__unlabeled_weight": 1.5}
    family, state = made(**weights)
    params, given = state.params, rows()
    value, metrics = family.elbo_loss(params, given, {})
    labels = [jnp.full(ROWS, y) for y in range(CLASSES)]
    each = [bound(family, params, given["x"], label, given["noise"]) for label in labels]
    log_q = log_softmax(np.asarray(family.class_logits(params, given["x"]), np.float64), -1)
    unlabeled = (np.exp(log_q) * (np.stack(each, -1) + log_q)).sum(-1)
    own = [given[f"labeled_{n}"] for n in ("x", "label", "noise")]
    labeled = bound(family, params, *own)
    logits = np.asarray(family.class_logits(params, own[0]), np.float64)
    nats = -log_softmax(logits, -1)[np.arange(ROWS), np.asarray(own[1])]
    np.testing.assert_allclose(metrics["bound"], unlabeled.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["labeled_bound"], labeled.mean(), rtol=1e-5)
    expected = 0.7 * nats.mean() + 0.3 * labeled.mean() + 1.5 * unlabeled.mean()
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_with_the_labels_alone_nothing_but_the_classifier_learns():
    only = {"loss__alpha": 1.0, "loss__labeled_weight": 0.0, "loss__unlabeled_weight": 0.0}
    family, state = made(**only)
    gradient = jax.grad(lambda p: family.elbo_loss(p, rows(), {})[0])(state.params)
    norms = {n: sum(float(abs(g).sum()) for g in jax.tree.leaves(t)) for n, t in gradient.items()}
    assert norms["classifier"] > 0 == norms["encoder"] == norms["decoder"]


def test_without_a_label_the_likeliest_class_stands_in():
    family, state = made()
    x = rows()["x"]
    label = family.classify(state, x).argmax(-1)
    for name in ("encode", "reconstruct"):
        use = getattr(family, name)
        np.testing.assert_array_equal(use(state, x), use(state, x, label))
    other = family.sample_at(state, jax.random.key(0), (label + 1) % CLASSES)
    assert (other != family.sample_at(state, jax.random.key(0), label)).any()


def test_pictures_are_classified_as_they_are_learned():
    family, state = made(loss__binarize="fixed")
    gray = rows()["x"]
    black_or_white = (gray > 0.5).astype(gray.dtype)
    for x in (gray, black_or_white):
        expected = jax.nn.softmax(family.class_logits(state.params, black_or_white))
        np.testing.assert_allclose(family.classify(state, x), expected, rtol=1e-6)
    batch = {"x": gray, "label": rows()["labeled_label"], "mask": jnp.ones(ROWS)}
    wrong = expected.argmax(-1) != batch["label"]
    assert family.evaluate(state, batch)["error"] == wrong.sum()


def test_labels_are_as_many_of_each_class_and_another_seed_shows_others():
    splits = [prepare(config(data__labeled_seed=s)).dataset.train for s in (0, 1)]
    for split in splits:
        counts = np.bincount(split.labeled.arrays["label"])
        assert counts.sum() == 100 and set(counts) <= {9, 10, 11}
    shown = [{x.tobytes() for x in s.labeled.arrays["x"]} for s in splits]
    assert len(shown[0] & shown[1]) < 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data__num_labeled": 5}, "data.num_labeled=5: must be at least 10, one of each class"),
        ({"data__name": "ring"}, "data.name=ring has no labels"),
        ({"loss__binarize": "fixed", "loss__likelihood": "gaussian"}, "loss.binarize='fixed'"),
        (
            {"loss__alpha": 0.0, "loss__labeled_weight": 0.0, "loss__unlabeled_weight": 0.0},
            "loss.alpha=0.0: must be above 0",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        prepare(config(**changes))
