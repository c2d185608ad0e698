"""The peer of the text VAE makes the same arithmetic: its loss and gradients are ours."""

import jax
import numpy as np
import pytest

from genjax.core.family import DataSpec
from genjax.core.random import step_key
from genjax.core.tokens import NUM_SPECIALS
from genjax.families import text_autoencoder
from tests.benchmarks import weights

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")

V, E, H, Z, B, T, RATE = 19, 4, 5, 3, 6, 7, 0.4


def _ours(w):
    """The peer's weights (or their gradients) as our parameters."""
    recurrent = {
        "Direction_0": weights.lstm(w, "encoder"),
        "Direction_1": weights.lstm(w, "encoder", "_l0_reverse"),
    }
    return {
        "encoder": {
            "network": {"words": {"tokens": w["read.weight"]}, "recurrent": recurrent},
            "Dense_0": weights.dense(w, "posterior"),
        },
        "decoder": {
            "words": {"tokens": w["words.weight"]},
            "first": weights.dense(w, "first"),
            "recurrent": {"Direction_0": weights.lstm(w, "decoder")},
            **weights.dense(w, "head"),
        },
    }


def test_loss_and_gradients_of_the_peer_are_ours():
    from benchmarks.peers import torch_text_vae

    c = text_autoencoder.default_config()
    c.steps, c.batch_size = 10, B
    c.model.update(embed_dim=E, hidden=H, latent_dim=Z, pooling="max")
    c.loss.update(variational=True, word_dropout=RATE)
    c.optimizer.update(name="sgd", b1=0.0, clip_norm=0.0, learning_rate=1.0)
    family = text_autoencoder.build(c, DataSpec("sentence", (T,), vocab_size=V), 10)
    torch.manual_seed(0)
    model = torch_text_vae.TextVAE(V, E, H, Z)
    state = family.init(jax.random.key(0)).replace(params=_ours(weights.of(model)))
    x = np.random.default_rng(0).integers(NUM_SPECIALS, V, (B, T)).astype(np.int32)
    after, metrics = jax.jit(family.step)(state, {"x": x})

    noise = jax.random.normal(step_key(state, 0), (B, Z))
    hidden = jax.random.uniform(step_key(state, 3), (B, T)) < RATE
    of = (torch.tensor(np.asarray(a)) for a in (x.astype(np.int64), noise, hidden))
    value = model(*of)
    value.backward()
    np.testing.assert_allclose(metrics["loss"], value.item(), rtol=1e-5)
    got = jax.tree.map(lambda a, b: a - b, state.params, after.params)
    weights.assert_close(got, _ours(weights.of(model, gradients=True)), rtol=0)


def test_every_mode_of_the_peer_runs():
    from benchmarks.peers import torch_loop, torch_text_vae

    torch.compiler.set_stance("force_eager")  # that it compiles is no claim of this test
    try:
        for mode in torch_loop.MODES:
            torch_text_vae.text_vae(
                mode,
                1,
                vocab_size=V,
                embed_dim=E,
                units=H,
                latent_dim=Z,
                length=T,
                num_examples=20,
                batch_size=B,
                word_dropout=RATE,
                learning_rate=1e-3,
                clip_norm=5.0,
            ).run()
    finally:
        torch.compiler.set_stance("default")
