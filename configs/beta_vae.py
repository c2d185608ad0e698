"""Beta-VAE (Higgins et al. 2017) on the bundled digits: the KL counts four times, after a warm-up.

    python -m experiments.train --config=configs/beta_vae.py --workdir=runs/beta_vae
    python -m experiments.latent --workdir=runs/beta_vae --out=runs/beta_vae/latent

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import vae


def get_config() -> ConfigDict:
    c = vae.default_config()
    c.epochs = 200.0
    c.loss.binarise = "dynamic"
    c.loss.kl_weight = 4.0
    c.loss.kl_warmup_steps = 1000
    return c
