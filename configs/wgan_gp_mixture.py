"""WGAN-GP on a mixture of Gaussians, ten seeds as one program, scored as PacGAN scores.

    python -m experiments.train --config=configs/wgan_gp_mixture.py --workdir=runs/grid
    python -m experiments.train --config=configs/wgan_gp_mixture.py:ring --workdir=runs/ring

Grid: about 7 minutes on 2 CPU cores (30 steps/s); 25 of 25 modes in every seed, high quality 94.4 %
(standard error 0.2 %), reverse KL 0.005. Ring: 48 s (180 steps/s); 8 of 8 modes in every seed, high
quality 95.7 % (0.2 %), reverse KL 0.002.
"""

from ml_collections import ConfigDict

from genjax.families import gan


def get_config(mixture: str = "grid") -> ConfigDict:
    c = gan.default_config()
    c.data.name = mixture
    c.executor = "vmap"
    c.num_seeds = 10
    c.steps = 12_000
    c.batch_size = 256
    c.log_every = 200
    c.checkpoint_every = 2000
    c.num_samples = 2500
    c.ema_decay = 0.999
    c.model.latent_dim = 2
    c.model.generator_hidden = (128, 128, 128)
    c.model.critic_hidden = (128, 128, 128)
    c.model.critic_activation = "relu"
    c.loss.n_critic = 1
    c.loss.penalty_weight = 0.1
    c.optimizer.learning_rate = 2e-3
    c.critic_optimizer.learning_rate = 4e-3
    if mixture == "ring":
        c.steps = 6000
        c.batch_size = 128
        c.model.generator_hidden = (64, 64, 64)
        c.model.critic_hidden = (64, 64, 64)
    return c
