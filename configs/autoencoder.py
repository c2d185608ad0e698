"""Dense autoencoder on the bundled digits."""

from ml_collections import ConfigDict

from genjax.families import autoencoder


def get_config() -> ConfigDict:
    c = autoencoder.default_config()
    c.epochs = 100.0
    return c
