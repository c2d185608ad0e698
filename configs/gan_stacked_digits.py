"""Five methods on stacked digits, 1,000 modes, ten seeds as one program, under one budget.

    python -m experiments.train --config=configs/gan_stacked_digits.py:METHOD --workdir=runs/METHOD
    python -m experiments.evaluate --workdir=runs/METHOD

METHOD: wgan_gp (the default), gan, pacgan2, wgan or r3gan. Networks, batch and the number of
updates are the same for all; optimizers are what suits each method. Ten seeds on 26,000 samples,
as published, 6 to 10 minutes each on 2 CPU cores, ± standard error (PacGAN states 1,000 and 0.06):

             modes       reverse KL        one update of ten seeds
    gan      858 ± 17    0.86  ± 0.05      0.11 s
    pacgan2  487 ± 46    1.91  ± 0.14      0.09 s
    wgan     974 ± 19    0.37  ± 0.08      0.14 s
    wgan_gp  1,000       0.063 ± 0.001     0.13 s
    r3gan    1,000       0.059 ± 0.001     0.15 s
    true samples         0.020

`python -m experiments.mode_collapse --workdir=DIR --data=stacked_digits` trains them all.
"""

from _gan_recipes import methods
from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.families import gan

METHODS = ("wgan_gp", "gan", "pacgan2", "wgan", "r3gan")


def get_config(method: str = "wgan_gp") -> ConfigDict:
    if method not in METHODS:
        raise ConfigError(
            f"--config=gan_stacked_digits.py:{method}: must be one of {', '.join(METHODS)}"
        )
    c = gan.default_config()
    c.data.name = "stacked_digits"
    c.executor = "vmap"
    c.num_seeds = 10
    c.steps = 4000
    c.batch_size = 128
    c.log_every = 100
    c.checkpoint_every = 1000
    c.eval_num_samples = 26_000  # as published
    c.ema_decay = 0.999
    c.model.latent_dim = 18
    c.model.generator_hidden = (512, 512)
    c.model.critic_hidden = (512, 512)
    c.loss.n_critic = 1
    c.optimizer.learning_rate = 1e-3
    c.critic_optimizer.learning_rate = 2e-3
    # The paper's bound: in layers as wide as these 0.1 lets the critic explode.
    c.update(methods(clip=0.01)[method])
    return c
