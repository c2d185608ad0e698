"""Features: what each layer makes of examples, by one contract for all families that have some."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.capabilities import (
    Classifies,
    EmbedsTokens,
    Encodes,
    HasFeatures,
    HasPosterior,
    Tags,
)
from genjax.core.tokens import PAD
from genjax.families._language_models import LanguageModel
from genjax.losses import token_cross_entropy
from tests.families.small import NAMES, ROWS, small

REAL = 4  # tokens of a row before its padding
NETWORKS = {
    "autoencoder:conv": ("autoencoder", {"model__network": "conv"}),
    "bag": ("text_classifier+bag+accumulate", {"model__layers": 2}),
    "critic:conv": ("wgan_gp", {"model__network": "conv", "model__critic_norm": "layer"}),
    "critic:resnet": ("wgan_gp+resnet+projection", {}),
    "packs": ("r3gan+pack+lazy", {}),
    "packed": ("gpt_modern+packed+dropout+chunk+remat+accumulate", {"model__num_layers": 2}),
    "sentences": ("elmo", {"data__kind": "sentence"}),
    "spectral": ("hinge_gan", {}),
    "tagger:bert": ("tagger+bert+ema", {"model__bert__num_layers": 2}),
    "tagger:softmax": ("tagger+softmax+accumulate", {}),
    "text_classifier:bert": (
        "text_classifier+bert+augmented+accumulate+encoder_lr_scale",
        {"model__bert__num_layers": 2},
    ),
    "text_classifier:transformer": ("text_classifier+transformer+ema", {}),
    "vae:conditional": ("vae", {"model__conditional": True}),
}
ALL = {name: (name, {}) for name in NAMES} | NETWORKS
# Layers by name, with the shape of what they make of one of ROWS examples; T tokens are read.
T = 7
SHAPES = {
    "autoencoder": {"encoder.0": (16,), "encoder.code": (16,)},
    "autoencoder:conv": {"encoder.0": (4, 4, 16), "encoder.code": (16,)},
    "bag": {"encoder.0": (16,), "encoder.1": (16,), "encoder.code": (16,)},
    "bert": {"encoder.0": (T, 16), "encoder.1": (T, 16)},
    "classifier": {"encoder.code": (64,), "head.0": (16,), "head.1": (16,)},
    "continual": {"classifier.0": (16,), "classifier.1": (16,)},
    "critic:conv": {"critic.0": (4, 4, 16)},
    "critic:resnet": {"critic.0": (4, 4, 16), "critic.1": (4, 4, 16), "critic.2": (16,)},
    "elmo": {"bilm.0": (T, 32), "bilm.1": (T, 32), "bilm.2": (T, 32), "bilm.mix": (T, 32)},
    "flow_matching+mlp+conditional": {f"velocity.{i}": (16,) for i in range(3)},
    "gpt": {"stack.0": (T - 1, 16), "stack.1": (T - 1, 16)},
    "gru_lm": {"recurrent.0": (T - 1, 16), "recurrent.1": (T - 1, 16)},
    "multitask": {"encoder.0": (16,), "encoder.code": (16,)},
    "multitask+pcgrad+accumulate+ema": {"encoder.0": (16,), "encoder.code": (16,)},
    "multitask+uncertainty+conv+overlays": {"encoder.0": (4, 4, 8), "encoder.code": (16,)},
    "packed": {"stack.0": (T, 16), "stack.1": (T, 16)},
    "packs": {"critic.0": (16,), "critic.1": (16,)},  # of two examples each
    "sentences": {"bilm.0": (T, 32), "bilm.1": (T, 32), "bilm.2": (T, 32), "bilm.mix": (T, 32)},
    "semi_supervised_vae": {"classifier.0": (16,), "encoder.0": (16,), "encoder.code": (16,)},
    "seq2seq": {"encoder.0": (T, 16)},
    "seq2seq_attention": {"encoder.0": (T, 16)},
    "spectral": {"critic.0": (16,), "critic.1": (16,)},
    "stacked_autoencoder": {"encoder.0": (16,), "encoder.1": (16,), "encoder.code": (16,)},
    "stacked_autoencoder+labels+stages+ema": {"encoder.0": (16,), "encoder.code": (8,)},
    "tagger": {"scorer.0": (T, 32)},
    "tagger:bert": {"encoder.0": (T, 16), "encoder.1": (T, 16), "scorer.0": (T, 32)},
    "tagger:softmax": {"scorer.0": (T, 32)},
    "text_autoencoder": {"encoder.0": (T, 32), "encoder.code": (16,)},
    "text_classifier": {"encoder.0": (T, 32), "encoder.code": (32,)},
    "text_classifier:bert": {"encoder.0": (T, 16), "encoder.1": (T, 16), "encoder.code": (16,)},
    "text_classifier:transformer": {"encoder.0": (T, 16), "encoder.code": (16,)},
    "text_vae": {"encoder.0": (T, 32), "encoder.code": (16,)},
    "transformer": {"encoder.0": (T, 16), "encoder.1": (T, 16)},
    "vae": {"encoder.0": (16,), "encoder.code": (16,)},
    "vae:conditional": {"encoder.0": (16,), "encoder.code": (16,)},
    "wgan_gp": {"critic.0": (16,), "critic.1": (16,)},
}
TEXTS = [
    n for n, layers in SHAPES.items() if n == "bag" or {T, T - 1} & {s[0] for s in layers.values()}
]


def marked(names):
    """Variants of a family's networks are of CI's slow part."""
    slow = {name: pytest.mark.slow for name in NETWORKS}
    return [pytest.param(name, marks=slow.get(name, ())) for name in names]


@functools.cache
def given(name):
    """A small family, its state, and arguments of `features`."""
    recipe, changes = ALL[name]
    family, state, batch = small(recipe, **changes)
    x = batch["x"].reshape(-1, *family.spec.shape)[:ROWS]  # of a critic's several batches one
    chars = [batch["chars"]] if isinstance(family, Tags) else []
    conditional = name in ("vae:conditional", "critic:resnet")
    labels = [batch["label"].reshape(-1)[:ROWS]] if conditional else []
    return family, state, [x, *chars, *labels]


@functools.cache
def found(name):
    family, state, x = given(name)
    return jax.jit(family.features)(state, *x)


def test_each_family_with_an_encoder_a_critic_or_a_language_model_has_features():
    without = {name for name in NAMES if not isinstance(given(name)[0], HasFeatures)}
    assert without == {"word2vec_skipgram"}
    assert SHAPES.keys() == ALL.keys() - without


@pytest.mark.parametrize("name", marked(SHAPES))
def test_names_say_network_and_layer_and_rows_are_examples(name):
    rows = ROWS // 2 if name == "packs" else ROWS
    assert {n: h.shape for n, h in found(name).items()} == {
        n: (rows, *shape) for n, shape in SHAPES[name].items()
    }


def agreements(name):
    """Yields pairs of what is to be equal: of the last layer, and of what the family says."""
    family, state, x = given(name)
    layers, params = found(name), state.eval_params
    last = layers[list(SHAPES[name])[-1]]
    if "encoder.code" in layers:
        yield layers["encoder.code"], jax.jit(family.encode)(state, *x)
    if isinstance(family, HasPosterior):
        yield last, jax.jit(family.posterior)(state, *x)[0]
    if isinstance(family, EmbedsTokens):
        yield last, jax.jit(family.embed)(state, *x)
    if isinstance(family, LanguageModel):
        kernel, bias = family.output(params)
        logits = last @ kernel + (0 if bias is None else bias)
        _, targets = family.inputs_and_targets(*x)
        yield token_cross_entropy(logits, targets), jax.jit(family.score)(state, *x)
    if isinstance(family, Classifies):
        head = next(params[n] for n in params if n.startswith(("head", "classifier")))
        h = layers.get("classifier.0", last)
        head = head.get("Dense_1", head)  # of a network of several layers the last
        probability = jax.nn.softmax(h @ head["kernel"] + head["bias"])
        yield probability, jax.jit(family.classify)(state, *x)
    if "critic.0" in layers and name not in ("spectral", "critic:resnet"):
        output = state.params["critic"][f"Dense_{0 if 'conv' in name else len(layers)}"]
        score = last.reshape(len(last), -1) @ output["kernel"] + output["bias"]
        yield score[:, 0], jax.jit(family.score)(state, *x)
    if name == "critic:resnet":  # the features of the projection (Miyato and Koyama, equation 3)
        head = state.params["critic"]["CriticHead_0"]
        of_class = head["Embed_0"]["embedding"][x[1]]
        score = last @ head["Dense_0"]["kernel"][:, 0] + head["Dense_0"]["bias"]
        yield score + (of_class * last).sum(-1), jax.jit(family.score)(state, *x)
    if name == "tagger:softmax":
        dense = params["scorer"]["Dense_0"]
        best = (last @ dense["kernel"] + dense["bias"]).argmax(-1)
        yield jnp.where(x[0] == PAD, 0, best), jax.jit(family.tag)(state, *x)
    if name == "seq2seq_attention":  # what attention looks into
        yield last, jax.jit(family.prefill)(state, *x)[1]["memory"]["value"]


@pytest.mark.parametrize("name", marked(SHAPES))
def test_the_last_layer_agrees_with_what_the_family_says(name):
    pairs = list(agreements(name))
    says = isinstance(given(name)[0], (Encodes, LanguageModel)) or "critic" in SHAPES[name]
    says &= "velocity.0" not in SHAPES[name]  # a flow's code is no layer of it
    assert pairs or not says
    for of_layer, said in pairs:
        np.testing.assert_allclose(of_layer, said, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", marked(TEXTS))
def test_padding_has_no_effect_on_the_features_of_tokens(name):
    family, state, x = given(name)
    x = [x[0].at[:, REAL:].set(PAD), *x[1:]]
    wide, narrow = (jax.jit(family.features)(state, *(a[:, :n] for a in x)) for n in (T, REAL + 1))
    for layer in wide:
        places = slice(REAL) if wide[layer].ndim > 2 else slice(None)  # of vectors of texts all
        np.testing.assert_allclose(
            wide[layer][:, places], narrow[layer][:, places], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("name", ["critic:conv", "gpt", "text_vae"])
def test_features_are_the_same_without_jit(name):
    family, state, x = given(name)
    for layer, h in family.features(state, *x).items():
        np.testing.assert_allclose(h, found(name)[layer], rtol=1e-4, atol=1e-5)
