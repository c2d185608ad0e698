"""The fields of the family `gan`, and which of them go together."""

from typing import Any

from ml_collections import ConfigDict

from genjax import losses
from genjax.core.config import ConfigError, base, choose, fail, optimizer
from genjax.core.family import DataSpec
from genjax.models.conv import LOWERINGS
from genjax.models.convnets import check_halvings
from genjax.models.dense import ACTIVATIONS, NORMS, check_widths

PENALTIES = ("none", "wgan_gp", "r1", "r2", "r1_r2", "dragan")


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small images; recipes change what they need."""
    c = base()
    c.family = "gan"
    c.model = ConfigDict()
    c.model.network = "mlp"  # or "conv"
    c.model.latent_dim = 32
    c.model.generator_hidden = (256, 256)  # mlp
    c.model.critic_hidden = (256, 256)  # mlp
    c.model.generator_channels = (64, 128)  # conv, from the largest image to the smallest
    c.model.critic_channels = (64, 128)  # conv
    c.model.generator_activation = "relu"
    c.model.critic_activation = "leaky_relu"  # or "maxout" (mlp)
    c.model.generator_norm = "none"  # or "batch", "layer"
    c.model.critic_norm = "none"  # or "layer"; "batch" only without a penalty
    c.model.spectral_norm = False  # of all weight matrices of the critic
    c.model.minibatch_stddev = False  # the critic sees how much a batch varies; without a penalty
    c.model.pack = 1  # examples that the critic judges as one (PacGAN)
    c.model.conv_lowering = "auto"  # or "matmul", "stock": see genjax/models/conv.py
    c.loss = ConfigDict()
    # minimax, non_saturating, least_squares, hinge, wasserstein or relativistic:
    c.loss.adversarial = "wasserstein"  # see genjax/losses/adversarial.py
    c.loss.label_smoothing = 0.0  # real examples have the label 1 minus this (losses with labels)
    c.loss.instance_noise = 0.0  # stddev of noise on all that the critic sees, falling to 0
    c.loss.n_critic = 3  # critic updates a generator update
    c.loss.clip = 0.0  # the critic's parameters stay within ±clip; 0: no clipping
    # On the norm of the critic's gradient: none, wgan_gp, r1 (at real examples), r2 (at generated
    # ones), r1_r2, dragan.
    c.loss.penalty = "wgan_gp"
    c.loss.penalty_weight = 1.0  # lambda; of r1 and r2 gamma, as in gamma / 2 * ||gradient||^2
    c.loss.penalty_every = 1  # lazy penalty: only at every k-th critic update, k times as strong
    c.loss.target = 1.0  # of the gradient norm (wgan_gp, dragan)
    c.loss.one_sided = False  # punish only norms above the target (wgan_gp, dragan)
    c.loss.perturbation = 0.5  # stddev of dragan's noise around real examples
    c.loss.formulation = "reverse"  # or "forward": same gradient, see losses/penalties.py
    c.optimizer = optimizer(learning_rate=5e-4, b1=0.0, b2=0.9, schedule="linear")  # generator's
    c.critic_optimizer = optimizer(learning_rate=5e-4, b1=0.0, b2=0.9, schedule="linear")
    return c


_RMSPROP = {"name": "rmsprop", "learning_rate": 1e-3, "b2": 0.99}
_ADAM = {"learning_rate": 1e-3, "b1": 0.5, "b2": 0.999}
_ORIGINAL: dict[str, dict[str, Any]] = {
    "loss": {"adversarial": "non_saturating", "penalty": "none"},
    "optimizer": _ADAM,
    "critic_optimizer": _ADAM,
}
# The methods that recipes with `:METHOD` compare on dense networks, and what each changes in the
# sections of a config of WGAN-GP.
METHODS: dict[str, dict[str, dict[str, Any]]] = {
    "wgan_gp": {},
    "gan": _ORIGINAL,
    "pacgan2": _ORIGINAL | {"model": {"pack": 2}},
    "wgan": {
        "loss": {"penalty": "none", "clip": 0.1},
        "optimizer": _RMSPROP,
        "critic_optimizer": _RMSPROP,
    },
    "r3gan": {"loss": {"adversarial": "relativistic", "penalty": "r1_r2"}},
}


def use_method(config: ConfigDict, method: dict[str, dict[str, Any]]) -> None:
    """Makes the changes of a method, a value of `METHODS`, in `config`."""
    for section, changes in method.items():
        config[section].update(changes)


def check(config: ConfigDict, spec: DataSpec) -> None:
    """Raises `ConfigError` for a field that is out of range, or excluded by another one."""
    _check_networks(config, spec)
    _check_losses(config.loss)
    _check_mixing(config)


def _check_networks(config: ConfigDict, spec: DataSpec) -> None:
    m = config.model
    choose("model.network", m.network, ("mlp", "conv"))
    choose("model.generator_activation", m.generator_activation, ACTIVATIONS)
    maxout = ["maxout"] * (m.network == "mlp")
    choose("model.critic_activation", m.critic_activation, [*ACTIVATIONS, *maxout])
    choose("model.generator_norm", m.generator_norm, NORMS)
    choose("model.conv_lowering", m.conv_lowering, LOWERINGS)
    for field in ("generator_hidden", "critic_hidden"):
        check_widths(f"model.{field}", m[field])
    if m.latent_dim < 1:
        raise fail("model.latent_dim", m.latent_dim, "must be at least 1")
    if m.network == "conv":
        for field in ("generator_channels", "critic_channels"):
            check_halvings(f"model.{field}", m[field], spec.shape)


def _check_losses(loss: ConfigDict) -> None:
    choose("loss.adversarial", loss.adversarial, losses.GAMES)
    choose("loss.penalty", loss.penalty, PENALTIES)
    choose("loss.formulation", loss.formulation, losses.FORMULATIONS)
    for field, least in (
        ("n_critic", 1), ("penalty_every", 1), ("penalty_weight", 0), ("target", 0),
        ("perturbation", 0), ("instance_noise", 0), ("clip", 0),
    ):  # fmt: skip
        if loss[field] < least:
            raise fail(f"loss.{field}", loss[field], f"must be at least {least}")
    if not 0 <= loss.label_smoothing < 1:
        raise fail("loss.label_smoothing", loss.label_smoothing, "must be at least 0 and below 1")
    if loss.label_smoothing and not losses.GAMES[loss.adversarial].labelled:
        raise fail(
            "loss.label_smoothing", loss.label_smoothing,
            f"loss.adversarial={loss.adversarial} has no labels; must be 0",
        )  # fmt: skip


def _check_mixing(config: ConfigDict) -> None:
    """What mixes the examples of a batch must see all of it, and leaves no gradient of its own."""
    m, penalty = config.model, config.loss.penalty
    choose("model.critic_norm", m.critic_norm, NORMS)
    if m.critic_norm == "batch" and penalty != "none":
        raise fail(
            "model.critic_norm", "batch",
            "batch norm mixes examples and makes the penalty wrong; must be none or layer "
            f"with loss.penalty={penalty}",
        )  # fmt: skip
    if m.minibatch_stddev and penalty != "none":
        raise fail(
            "model.minibatch_stddev", True,
            "mixes examples and makes the penalty wrong; must be False "
            f"with loss.penalty={penalty}",
        )  # fmt: skip
    mixing = [f"model.{n}_norm=batch" for n in ("generator", "critic") if m[f"{n}_norm"] == "batch"]
    mixing += ["model.minibatch_stddev=True"] * m.minibatch_stddev
    if config.accumulate_steps > 1 and mixing:
        raise ConfigError(
            f"config.accumulate_steps={config.accumulate_steps}: a layer that mixes examples sees "
            f"only a part of the batch at a time; must be 1 with {mixing[0]}"
        )
    part = config.batch_size // config.accumulate_steps
    if m.pack < 1 or part % m.pack:
        parts = "batch_size / accumulate_steps" if config.accumulate_steps > 1 else "batch_size"
        raise fail("model.pack", m.pack, f"must be at least 1 and divide {parts}, {part}")
