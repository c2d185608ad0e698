"""Hinge loss with spectral normalization (SNGAN, SAGAN) on the bundled digits.

    python -m experiments.train --config=configs/hinge_gan.py --workdir=runs/hinge_gan
    python -m experiments.evaluate --workdir=runs/hinge_gan

129 s on 2 shared CPU cores. A classifier trained on the real digits is more than 0.9 sure
of 85.0 % of 2,500 samples (of real held-out digits: 97.2 %) and finds all ten classes.
"""

from _gan_recipes import without_penalty
from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    c = without_penalty()
    c.model.critic_hidden = (512, 512)
    c.model.spectral_norm = True
    c.loss.adversarial = "hinge"
    c.optimizer.learning_rate = 1e-3
    c.critic_optimizer.learning_rate = 2e-3
    return c
