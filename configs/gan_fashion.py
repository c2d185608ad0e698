"""Five ways to train one pair of residual networks on Fashion-MNIST, half an hour each.

    python -m experiments.train --config=configs/gan_fashion.py:METHOD --workdir=runs/fashion_METHOD
    python -m experiments.evaluate --workdir=runs/fashion_METHOD --metrics=fid,prdc

METHOD: wgan_gp (the default: wgan_gp_fashion.py without labels), wgan, ns_gan, hinge_sn or r3gan,
each with as many updates of 32 examples as 2 idle CPU cores make in 30 minutes, one critic update
each.
`python -m experiments.image_quality` trains and scores them all, beside flow matching and a VAE,
into docs/image_quality.md.
"""

from _gan_recipes import methods
from ml_collections import ConfigDict

from genjax import recipes
from genjax.core.config import ConfigError

# Updates in 30 minutes: wgan_gp makes 3.6 a second, the others in proportion to earlier timings.
STEPS = {"wgan_gp": 6500, "wgan": 7000, "ns_gan": 6800, "hinge_sn": 6800, "r3gan": 5500}


def get_config(method: str = "wgan_gp") -> ConfigDict:
    if method not in STEPS:
        raise ConfigError(f"--config=gan_fashion.py:{method}: must be one of {', '.join(STEPS)}")
    c = recipes.beside(__file__, "wgan_gp_fashion")
    c.model.conditional = False
    c.steps = STEPS[method]
    c.update(methods(adam=4e-4, rmsprop=5e-4, clip=0.02)[method])
    return c
