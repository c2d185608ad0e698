"""A denoising autoencoder on the bundled digits: half of the pixels of its input are erased.

    python -m experiments.train --config=configs/denoising_autoencoder.py --workdir=runs/denoising

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import autoencoder


def get_config() -> ConfigDict:
    c = autoencoder.default_config()
    c.epochs = 100.0
    # A code wider than the data: only the corruption keeps the network from copying it.
    c.model.latent_dim = 128
    c.loss.corruption = "masking"
    c.loss.corruption_level = 0.5
    return c
