"""Dense autoencoder, 64-128-16-128-64, on the bundled digits.

    python -m experiments.train --config=configs/autoencoder.py --workdir=runs/autoencoder

9 s on 2 CPU cores. Test reconstruction 0.243 nats a pixel (Bernoulli), squared error 0.0069.
"""

from ml_collections import ConfigDict

from genjax.families import autoencoder


def get_config() -> ConfigDict:
    c = autoencoder.default_config()
    c.epochs = 100.0
    return c
