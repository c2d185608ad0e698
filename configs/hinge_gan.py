"""Hinge loss with spectral normalization (SNGAN, SAGAN) on the bundled digits.

    python -m experiments.train --config=configs/hinge_gan.py --workdir=runs/hinge_gan
    python -m experiments.evaluate --workdir=runs/hinge_gan

129 s on 2 shared CPU cores. A classifier trained on the real digits is more than 0.9 sure
of 85.0 % of 2,500 samples (of real held-out digits: 97.2 %) and finds all ten classes.
"""

from ml_collections import ConfigDict

from genjax.families import gan


def get_config() -> ConfigDict:
    c = gan.default_config()
    c.steps = 12_000
    c.batch_size = 128
    c.log_every = 200
    c.checkpoint_every = 2000
    c.ema_decay = 0.999
    c.model.latent_dim = 16
    c.model.generator_norm = "batch"
    c.model.critic_hidden = (512, 512)
    c.model.spectral_norm = True
    c.loss.adversarial = "hinge"
    c.loss.n_critic = 1
    c.loss.penalty = "none"
    c.optimizer.learning_rate = 1e-3
    c.critic_optimizer.learning_rate = 2e-3
    return c
