"""WGAN-GP on the bundled digits.

    python -m experiments.train --config=configs/wgan_gp.py --workdir=runs/digits
    python -m experiments.evaluate --workdir=runs/digits

2 minutes on 2 CPU cores. A classifier trained on the real digits is more than 0.9 sure of 92.6 % of
2,500 samples (of real held-out digits: 97.2 %) and finds all ten classes.
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
    # Few latents and a deep generator: little of the latent space lies between the classes.
    c.model.latent_dim = 6
    c.model.generator_hidden = (256, 256, 256, 256)
    c.model.critic_hidden = (512, 512)
    c.loss.n_critic = 1
    c.optimizer.learning_rate = 2e-3
    c.critic_optimizer.learning_rate = 4e-3
    return c
