"""The peer of the semi-supervised VAE minimizes what we do, for the noise that it drew."""

import jax
import numpy as np
import pytest

from benchmarks.rows.semi_supervised_vae import _WEIGHTS
from genjax.core.family import DataSpec
from genjax.families import semi_supervised_vae
from tests.benchmarks import weights

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")


def test_the_gradient_of_m2_is_ours():
    from benchmarks.peers import torch_m2 as peer

    torch.manual_seed(0)
    objective = peer.Objective(12, [6], 3, 4, peer.Weights(*_WEIGHTS.values()))
    weights.shake(objective)
    x, labeled, label = torch.rand(5, 12), torch.rand(5, 12), torch.randint(0, 4, (5,))
    state = torch.get_rng_state()
    value = objective(x, labeled, label)
    value.backward()
    torch.set_rng_state(state)
    labeled_noise, noise = torch.randn(5, 3), torch.randn(5, 3)

    def layout(w):
        def mlp(part):
            return {f"Dense_{i}": weights.dense(w, f"{part}.{2 * i}") for i in range(2)}

        return {part: mlp(part) for part in ("encoder", "decoder", "classifier")}

    c = semi_supervised_vae.default_config()
    c.model.update(latent_dim=3, encoder_hidden=(6,), decoder_hidden=(6,), classifier_hidden=(6,))
    c.loss.update(_WEIGHTS)
    family = semi_supervised_vae.build(c, DataSpec("image", (3, 4, 1), 4), 1)
    pictures = {
        "x": x.numpy().reshape(5, 3, 4, 1),
        "labeled_x": labeled.numpy().reshape(5, 3, 4, 1),
    }
    rows = pictures | {
        "labeled_label": label.numpy().astype(np.int32),
        "noise": noise.numpy(),
        "labeled_noise": labeled_noise.numpy(),
    }
    params = layout(weights.of(objective))
    (ours, _), got = jax.value_and_grad(lambda p: family.elbo_loss(p, rows, None), has_aux=True)(
        params
    )
    np.testing.assert_allclose(value.item(), ours, rtol=1e-5)
    weights.assert_close(got, layout(weights.of(objective, gradients=True)))
