"""Text VAE of short texts: paragraphs of Python's own docs, cut to 24 words.

    python -m experiments.train --config=configs/text_vae.py --workdir=runs/text_vae
    python -m experiments.latent --workdir=runs/text_vae

Not recorded yet.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.cli import recipes


def get_config() -> ConfigDict:
    c = recipes.load(str(Path(__file__).with_name("text_autoencoder.py"))).unlock()
    c.model.latent_dim = 32
    c.model.pooling = "max"
    c.loss.variational = True
    c.loss.kl_annealing = "linear"
    c.loss.kl_annealing_steps = 1000
    c.loss.free_bits = 0.25
    c.loss.word_dropout = 0.3
    return c
