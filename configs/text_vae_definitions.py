"""Text VAE of dictionary definitions, a definition or example a line, of at most 24 words.

    python -m experiments.train --config=configs/text_vae_definitions.py \\
        --workdir=runs/text_vae_definitions --config.data.dir=DIR
    python -m experiments.latent --workdir=runs/text_vae_definitions

DIR holds definitions.txt.gz. Not recorded yet.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.cli import recipes


def get_config() -> ConfigDict:
    c = recipes.load(str(Path(__file__).with_name("text_vae.py"))).unlock()
    c.data.name = "text:definitions.txt.gz"
    c.data.test_fraction = 0.01
    c.data.vocab_size = 10_000
    c.data.min_count = 5
    c.epochs = 0.0
    c.steps = 2500
    c.batch_size = 64
    c.eval_every = 1000
    c.sample_every = 1000
    c.checkpoint_every = 500
    c.model.hidden = 256
    c.loss.kl_annealing_steps = 1000
    c.optimizer.learning_rate = 1e-3
    c.optimizer.schedule = "cosine"
    return c
