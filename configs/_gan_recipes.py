"""What the recipes of GANs share: the GAN without a penalty, and the methods they compare."""

from typing import Any

from ml_collections import ConfigDict

from genjax import recipes

Changes = dict[str, dict[str, Any]]  # field: value, by section


def without_penalty() -> ConfigDict:
    """The recipe `wgan_gp`, on the bundled digits, without its penalty and with batch norm."""
    c = recipes.beside(__file__, "wgan_gp")
    c.model.latent_dim = 16
    c.model.generator_hidden = (256, 256)
    c.model.critic_hidden = (256, 256)
    c.model.generator_norm = "batch"
    c.loss.penalty = "none"
    return c


def both(**changes: Any) -> Changes:
    """Changes of the optimizers of both networks."""
    return {"optimizer": changes, "critic_optimizer": changes}


def methods(*, adam: float = 1e-3, rmsprop: float = 1e-3, clip: float = 0.1) -> dict[str, Changes]:
    """Returns what each method changes in a config of WGAN-GP.

    Args:
      adam: learning rate of the original GAN.
      rmsprop: learning rate of the WGAN.
      clip: bound of the WGAN's weights.
    """
    original = {"loss": {"adversarial": "non_saturating", "penalty": "none"}}
    original |= both(learning_rate=adam, b1=0.5, b2=0.999)
    return {
        "wgan_gp": {},
        "gan": original,
        "ns_gan": original,
        "pacgan2": original | {"model": {"pack": 2}},
        "wgan": {"loss": {"penalty": "none", "clip": clip}}
        | both(name="rmsprop", learning_rate=rmsprop, b2=0.99),
        "hinge_sn": {
            "loss": {"adversarial": "hinge", "penalty": "none"},
            "model": {"spectral_norm": True},
        },
        "r3gan": {"loss": {"adversarial": "relativistic", "penalty": "r1_r2"}},
    }
