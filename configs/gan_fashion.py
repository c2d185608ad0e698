"""Five ways to train one pair of convolutional networks on Fashion-MNIST, under one budget.

    python -m experiments.train --config=configs/gan_fashion.py:METHOD --workdir=runs/fashion_METHOD
    python -m experiments.evaluate --workdir=runs/fashion_METHOD --metrics=fid,prdc

METHOD: wgan_gp (the default, as in wgan_gp_fashion.py), wgan, ns_gan, hinge_sn or r3gan. All make
2,000 generator updates of 64 examples, with one critic update each. Recorded with seed 0, beside
two other families after as many updates of as many examples; the scores are of 10,000 samples and
features of genjax's own classifier, minutes are of training on 2 shared CPU cores:

                   FID  precision  recall  density  coverage  minutes
    ns_gan        49.2       0.45    0.40     0.17      0.11        5
    wgan          46.3       0.29    0.43     0.09      0.06        5
    hinge_sn      34.4       0.38    0.58     0.14      0.13        5
    r3gan         33.1       0.44    0.76     0.17      0.18        7
    wgan_gp       32.6       0.30    0.60     0.10      0.10        5
    conv VAE      36.0       0.53    0.79     0.24      0.25        3
    flow          15.1       0.73    0.87     0.46      0.50       17

conv VAE: `vae_fashion.py:conv` with `--config.steps=2000 --config.batch_size=64`;
flow: flow_matching_fashion.py, whose samples cost 20 passes of its U-Net and not one.
"""

from _gan_recipes import methods
from ml_collections import ConfigDict

from genjax import recipes
from genjax.core.config import ConfigError

METHODS = ("wgan_gp", "wgan", "ns_gan", "hinge_sn", "r3gan")


def get_config(method: str = "wgan_gp") -> ConfigDict:
    if method not in METHODS:
        raise ConfigError(f"--config=gan_fashion.py:{method}: must be one of {', '.join(METHODS)}")
    c = recipes.beside(__file__, "wgan_gp_fashion")
    c.steps = 2000
    c.update(methods(adam=4e-4, rmsprop=5e-4, clip=0.02)[method])
    return c
