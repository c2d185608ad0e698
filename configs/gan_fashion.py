"""Five ways to train one pair of convolutional networks on Fashion-MNIST, under one budget.

    python -m experiments.train --config=configs/gan_fashion.py:METHOD --workdir=runs/fashion_METHOD

METHOD: wgan_gp (the default, as in wgan_gp_fashion.py), wgan, ns_gan, hinge_sn or r3gan. All make
2,000 generator updates of 64 examples, with one critic update each. Not recorded yet.
"""

from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax.cli import recipes
from genjax.core.config import ConfigError
from genjax.families.gan import use_method

WGAN_GP = Path(__file__).with_name("wgan_gp_fashion.py")
RMSPROP = {"name": "rmsprop", "learning_rate": 5e-4, "b2": 0.99}
ADAM = {"learning_rate": 4e-4, "b1": 0.5, "b2": 0.999}
# METHOD: what it changes in `loss`, `model`, `optimizer` and `critic_optimizer`.
METHODS: dict[str, dict[str, dict[str, Any]]] = {
    "wgan_gp": {},
    "wgan": {
        "loss": {"penalty": "none", "clip": 0.02},
        "optimizer": RMSPROP,
        "critic_optimizer": RMSPROP,
    },
    "ns_gan": {
        "loss": {"adversarial": "non_saturating", "penalty": "none"},
        "optimizer": ADAM,
        "critic_optimizer": ADAM,
    },
    "hinge_sn": {
        "loss": {"adversarial": "hinge", "penalty": "none"},
        "model": {"spectral_norm": True},
    },
    "r3gan": {"loss": {"adversarial": "relativistic", "penalty": "r1_r2"}},
}


def get_config(method: str = "wgan_gp") -> ConfigDict:
    if method not in METHODS:
        raise ConfigError(f"--config=gan_fashion.py:{method}: must be one of {', '.join(METHODS)}")
    c = recipes.load(str(WGAN_GP)).unlock()
    c.steps = 2000
    use_method(c, METHODS[method])
    return c
