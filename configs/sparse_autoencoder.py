"""A sparse autoencoder on the bundled digits: of 128 code units about one in twenty is active.

    python -m experiments.train --config=configs/sparse_autoencoder.py --workdir=runs/sparse

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import autoencoder


def get_config() -> ConfigDict:
    c = autoencoder.default_config()
    c.epochs = 100.0
    c.model.latent_dim = 128
    c.model.code_activation = "sigmoid"
    c.loss.sparsity_weight = 1e-3
    c.loss.sparsity_target = 0.05
    return c
