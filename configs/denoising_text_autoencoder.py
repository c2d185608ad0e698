"""Sequence autoencoder that reads sentences with words dropped, swapped and masked.

    python -m experiments.train --config=configs/denoising_text_autoencoder.py \\
        --workdir=runs/denoising_text_autoencoder
    python -m experiments.latent --workdir=runs/denoising_text_autoencoder

2 minutes on 2 CPU cores beside another job: held-out paragraphs come back with BLEU 27.3, at 74.7
nats each.
"""

from ml_collections import ConfigDict

from genjax import recipes


def get_config() -> ConfigDict:
    c = recipes.beside(__file__, "text_autoencoder")
    c.loss.drop = 0.1
    c.loss.swap = 3
    c.loss.mask = 0.1
    return c
