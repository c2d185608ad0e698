"""The peers make the same arithmetic: gradients of their critic's loss are ours."""

import itertools

import jax
import numpy as np
import pytest

from genjax import losses
from genjax.models.convnets import ConvEncoder
from genjax.models.dense import MLP
from genjax.models.resnet import ResNetCritic

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")

_RECIPE = {"batch_size": 6, "n_critic": 2, "penalty_weight": 10.0, "learning_rate": 1e-3,
           "b1": 0.5, "b2": 0.999, "latent_dim": 5}  # fmt: skip


_NAMES = {
    "mlp": ["Dense_0", "Dense_1", "Dense_2"],
    "conv": ["Conv_0", "Conv_1", "Dense_0"],
    "resnet": [
        "Conv_0", "ConvPool_0", "Conv_1", "Conv_2", "ConvPool_1", "Conv_3",
        "Conv_4", "Conv_5", "Conv_6", "Conv_7", "CriticHead_0/Dense_0",
    ],
}  # fmt: skip


def _trainer(kind, mode):
    from benchmarks.peers import torch_wgan_gp as peer

    torch.manual_seed(0)
    if kind == "mlp":
        networks, data = peer.mlp_networks(5, [7, 8], [9, 6], 64), torch.rand(32, 64) * 2 - 1
    else:
        make = peer.conv_networks if kind == "conv" else peer.resnet_networks
        networks, data = make(5, [3, 4], 8), torch.rand(32, 1, 8, 8) * 2 - 1
    return peer.Trainer(*networks, data, mode, **_RECIPE)


def _to_ours(weight, kind):
    """A weight (or its gradient) of the peer in the layout of ours."""
    if weight.ndim == 4:  # (out, in, height, width) to (height, width, in, out)
        return weight.transpose(2, 3, 1, 0)
    if weight.ndim == 2 and kind == "conv":  # its input is flattened channels first, ours last
        return weight.reshape(4, 2, 2).transpose(1, 2, 0).reshape(-1, 1)
    return weight.T


def _our_gradients(kind, weights, real, fake, position):
    """Our gradient of the critic's loss for the peer's weights, in the peer's order."""
    names = _NAMES[kind]
    leaves = [_to_ours(w, kind) for w in weights]
    params = {
        name: {"kernel": kernel, "bias": bias}
        for name, kernel, bias in zip(names, leaves[::2], leaves[1::2])
    }
    critic = {
        "mlp": MLP((9, 6), (), "leaky_relu"), "conv": ConvEncoder((3, 4), ()),
        "resnet": ResNetCritic((3, 4)),
    }[kind]  # fmt: skip
    if kind != "mlp":
        real, fake = (x.transpose(0, 2, 3, 1) for x in (real, fake))

    def loss(params):
        inner = {n: p for n, p in params.items() if "/" not in n}
        inner |= {n.split("/")[0]: {n.split("/")[1]: p} for n, p in params.items() if "/" in n}

        def score(x):
            return critic.apply({"params": inner}, x)

        x = losses.interpolate(real, fake, position)
        penalty = losses.input_gradient_penalty(score, x).mean()
        return losses.wasserstein_critic_loss(score(real), score(fake)).mean() + 10.0 * penalty

    gradient = jax.grad(loss)(params)
    return [gradient[name][part] for name in names for part in ("kernel", "bias")]


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *itertools.product(["mlp", "conv", "resnet"], ["eager", "functional", "forward"]),
        ("conv", "eager_channels_last"),
    ],
)
def test_critic_gradients_of_the_peer_are_ours(kind, mode):
    trainer = _trainer(kind, "functional" if mode == "forward" else mode)
    trainer.forward = mode == "forward"
    real, z, position = trainer.data[:6], torch.randn(6, 5), torch.rand(6)
    with torch.no_grad():
        fake = trainer.generator(z)
    got = trainer.critic_gradients(real, z, position)
    weights = [p.detach().numpy() for p in trainer.critic.parameters()]
    expected = _our_gradients(kind, weights, real.numpy(), fake.numpy(), position.numpy())
    for g, e in zip(got, expected):
        np.testing.assert_allclose(_to_ours(g.numpy(), kind), e, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["eager", "functional"])
def test_an_iteration_updates_both_networks_and_the_running_statistics(mode):
    trainer = _trainer("mlp", mode)
    before = {
        name: value.clone()
        for network in (trainer.generator, trainer.critic)
        for name, value in network.state_dict(prefix=str(id(network))).items()
    }
    trainer.iteration()
    for network in (trainer.generator, trainer.critic):
        for name, value in network.state_dict(prefix=str(id(network))).items():
            # A bias in front of batch norm has no effect, and no gradient but rounding.
            assert not torch.equal(value, before[name]) or name.endswith("bias")


def test_dcgan_gradients_of_the_peers_critic_are_ours():
    from benchmarks.peers import torch_dcgan as peer

    torch.manual_seed(0)
    networks = peer.conv_networks(5, [3, 4], 8, norm=True)
    recipe = {n: _RECIPE[n] for n in ("batch_size", "learning_rate", "b1", "b2", "latent_dim")}
    trainer = peer.Trainer(*networks, torch.rand(32, 1, 8, 8) * 2 - 1, "eager", **recipe)
    real, z = trainer.data[:6], torch.randn(6, 5)
    with torch.no_grad():
        fake = trainer.generator(z)
    got = torch.autograd.grad(trainer.critic_loss(real, z), tuple(trainer.critic.parameters()))
    weights = [_to_ours(p.detach().numpy(), "conv") for p in trainer.critic.parameters()]
    names = [
        ("Conv_0", "kernel"), ("Conv_0", "bias"), ("Conv_1", "kernel"), ("Conv_1", "bias"),
        ("Norm_1", "scale"), ("Norm_1", "bias"), ("Dense_0", "kernel"), ("Dense_0", "bias"),
    ]  # fmt: skip
    params: dict = {}
    for (layer, part), weight in zip(names, weights):
        params.setdefault(layer, {})[part] = weight
    params["Norm_1"] = {"BatchNorm_0": params["Norm_1"]}
    critic = ConvEncoder((3, 4), norm="batch")

    def loss(params):
        def score(x):
            x = x.numpy().transpose(0, 2, 3, 1)
            return critic.apply({"params": params}, x, train=True, mutable=["batch_stats"])[0]

        return losses.minimax_critic_loss(score(real), score(fake)).mean()

    expected = jax.grad(loss)(params)
    expected["Norm_1"] = expected["Norm_1"]["BatchNorm_0"]
    for (layer, part), g in zip(names, got):
        found = _to_ours(g.numpy(), "conv")
        np.testing.assert_allclose(found, expected[layer][part], rtol=1e-3, atol=2e-5)


def test_autoencoder_updates_agree_between_modes():
    from benchmarks.peers import torch_autoencoder as peer

    x, ends = torch.rand(8, 12, generator=torch.Generator().manual_seed(1)), []
    for mode in ("eager", "compiled_step"):
        torch.manual_seed(0)
        model = peer.network([12, 6, 3], [3, 6, 12])
        torch.compiler.set_stance("force_eager")  # the arithmetic is the claim, not the compiler
        try:
            update = peer.updater(mode, model, 1e-2)
            for _ in range(3):
                update(x)
        finally:
            torch.compiler.set_stance("default")
        ends.append([p.detach().clone() for p in model.parameters()])
    for a, b in zip(*ends):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_keras_network_has_the_parameters_of_ours():
    pytest.importorskip("keras", reason="pip install .[benchmarks]")
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    from benchmarks.peers import keras_autoencoder, torch_autoencoder

    torch_network = torch_autoencoder.network([784, 64, 32], [32, 64, 784])
    number = sum(p.numel() for p in torch_network.parameters())
    assert keras_autoencoder.network(784, [64], 32).count_params() == number


@pytest.mark.parametrize("draws", [1, 4])
def test_vae_of_the_peer_has_the_loss_of_ours(draws):
    """Both gradients, for the noise that the peer drew."""
    from benchmarks.peers import torch_vae as peer

    torch.manual_seed(0)
    objective, x = peer.dense_bound(12, [6], 3, draws), torch.rand(5, 12)
    state = torch.get_rng_state()
    value = objective(x)
    value.backward()
    torch.set_rng_state(state)
    noise = torch.randn(draws, 5, 3).numpy() if draws > 1 else torch.randn(5, 3).numpy()[None]
    names = [
        f"{part}.{i}.{kind}"
        for part in ("encoder", "decoder")
        for i in (0, 2)
        for kind in ("weight", "bias")
    ]
    weights = {name: p.detach().numpy() for name, p in objective.named_parameters()}
    assert sorted(weights) == sorted(names)

    def loss(w):
        def half(part, h):
            h = jax.nn.relu(h @ w[f"{part}.0.weight"].T + w[f"{part}.0.bias"])
            return h @ w[f"{part}.2.weight"].T + w[f"{part}.2.bias"]

        mean, log_variance = jax.numpy.split(half("encoder", x.numpy()), 2, axis=-1)
        z = mean + jax.numpy.exp(0.5 * log_variance) * noise
        logits = half("decoder", z).reshape(draws * 5, 12)
        target = np.tile(x.numpy(), (draws, 1))
        log_likelihood = losses.bernoulli_log_likelihood(logits, target).reshape(draws, 5)
        if draws == 1:
            return (losses.gaussian_kl(mean, log_variance).sum(-1) - log_likelihood).mean()
        ratio = losses.log_prior_ratio(z, noise, log_variance[None])
        return -losses.importance_weighted_bound((log_likelihood + ratio).T).mean()

    expected, gradient = jax.value_and_grad(loss)(weights)
    np.testing.assert_allclose(value.item(), expected, rtol=1e-5)
    for name, p in objective.named_parameters():
        np.testing.assert_allclose(p.grad.numpy(), gradient[name], rtol=1e-3, atol=1e-5)
