"""Dense VAE, 64-256-16, on the bundled digits, binarised anew each time they are seen.

    python -m experiments.train --config=configs/vae.py --workdir=runs/vae
    python -m experiments.latent --workdir=runs/vae --out=runs/vae/latent

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import vae


def get_config() -> ConfigDict:
    c = vae.default_config()
    c.epochs = 200.0
    c.loss.binarise = "dynamic"
    return c
