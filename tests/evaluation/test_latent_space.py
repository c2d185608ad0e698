"""The latent space of a model, by a model whose encoder and decoder are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset
from genjax.evaluation.latent.latent_space import Space

RNG = np.random.default_rng(0)
NUMBER, SHAPE = 300, (2, 2, 1)  # more than a block, and no multiple of it
X = RNG.uniform(size=(NUMBER, *SHAPE)).astype(np.float32)
LABEL = np.arange(NUMBER, dtype=np.int32) % 3


def model(kind="image", attributes=(), **functions):
    """Codes are the flattened images; a conditional decoder adds the label."""
    arrays = {"x": X, "label": LABEL}
    if attributes:
        arrays["attributes"] = (X.reshape(NUMBER, 4)[:, : len(attributes)] > 0.5).astype(np.uint8)
    source = Resident(arrays)
    dataset = Dataset(DataSpec(kind, SHAPE, 3), source, source, tuple(attributes))
    settings = {"latent_dim": 4, "conditional": functions.pop("conditional", False)}
    config = SimpleNamespace(family="known", model=settings, data=SimpleNamespace(name="drawn"))
    return SimpleNamespace(
        config=config,
        run=SimpleNamespace(dataset=dataset),
        family=SimpleNamespace(**functions),
        **functions,
    )


def encode(x, *label):
    return np.asarray(x).reshape(len(x), 4)


def decode(z, *label):
    return (
        np.asarray(z).reshape(len(z), *SHAPE) + sum(label).reshape(-1, 1, 1, 1)
        if label
        else (np.asarray(z).reshape(len(z), *SHAPE))
    )


def posterior(x, *label):
    return encode(x), np.log(np.tile([1e-6, 0.25, 1.0, 4.0], (len(x), 1)))


def test_codes_are_those_of_every_example_in_order():
    space = Space(model(encode=encode, decode=decode))
    np.testing.assert_array_equal(space.test.mean, X.reshape(NUMBER, 4))
    np.testing.assert_array_equal(space.test.label, LABEL)
    np.testing.assert_array_equal(space.test.attributes, np.eye(3)[LABEL])
    assert space.attributes == ["class 0", "class 1", "class 2"]
    np.testing.assert_allclose(space.center, X.reshape(NUMBER, 4).mean(0))


def test_draws_follow_the_posterior_and_latents_are_ordered_by_kl():
    space = Space(model(encode=encode, decode=decode, posterior=posterior))
    deviation = (space.test.draw - space.test.mean).std(0)
    np.testing.assert_allclose(deviation, [1e-3, 0.5, 1.0, 2.0], rtol=0.15)
    np.testing.assert_array_equal(np.sort(space.order), np.arange(4))
    assert space.order[0] == 0 and space.order[-1] != 0


def test_the_data_s_attributes_come_before_its_labels():
    space = Space(model(attributes=("dark", "light"), encode=encode, decode=decode))
    assert space.attributes == ["dark", "light"] and space.test.attributes.shape == (NUMBER, 2)


def test_paths_are_decoded_with_the_label_of_their_start():
    space = Space(model(encode=encode, decode=decode, conditional=True))
    straight, arcs, label = space.paths(4, 5)
    assert straight.shape == arcs.shape == (4, 5, 4)
    np.testing.assert_array_equal(label, LABEL[:4])
    images = space.decode(straight, label).reshape(4, 5, *SHAPE)
    np.testing.assert_allclose(images[:, 0], X[:4] + LABEL[:4].reshape(-1, 1, 1, 1), rtol=1e-6)


def test_without_an_encoder_the_prior_stands_in():
    space = Space(model(decode=decode))
    assert space.test is None
    np.testing.assert_array_equal(space.center, 0)
    np.testing.assert_array_equal(space.spread, 1)
    assert space.paths(3, 7)[0].shape == (3, 7, 4)


@pytest.mark.parametrize(
    "case",
    [
        {"encode": encode},
        {"decode": decode, "kind": "point"},
        {"decode": decode, "encode": lambda x: x},  # a flow
    ],
)
def test_what_decodes_no_images_is_refused(case):
    with pytest.raises(
        ConfigError, match=r"family known on data\.name=drawn: must be a family that"
    ):
        Space(model(**case))
