"""Importance weighted autoencoder (Burda et al. 2016), 50 draws, on the bundled digits.

    python -m experiments.train --config=configs/iwae.py --workdir=runs/iwae

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import vae


def get_config() -> ConfigDict:
    c = vae.default_config()
    c.epochs = 200.0
    c.loss.binarise = "dynamic"
    c.loss.importance_samples = 50
    return c
