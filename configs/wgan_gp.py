"""WGAN-GP on the bundled digits."""

from ml_collections import ConfigDict

from genjax.families import wgan


def get_config() -> ConfigDict:
    c = wgan.default_config()
    c.steps = 6000
    c.ema_decay = 0.999
    return c
