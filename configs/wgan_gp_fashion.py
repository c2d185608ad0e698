"""WGAN-GP by class with residual networks on Fashion-MNIST, 28x28, through TFDS.

    python -m experiments.train --config=configs/wgan_gp_fashion.py --workdir=runs/fashion
    python -m experiments.evaluate --workdir=runs/fashion --metrics=fid,prdc
    python -m experiments.sample --workdir=runs/fashion --labels=all --n=8

Half an hour on 2 idle CPU cores, with a sheet every 1,000 updates and FID, against training images,
every 2,000: FID 1.5, 66 % of samples confident (of real ones 71 %), ten classes. Both networks see
the label (conditional batch norm; projection, Miyato and Koyama 2018). gan_fashion.py trains the
same networks without labels, by five methods; docs/image_quality.md has all that is recorded.
"""

from ml_collections import ConfigDict

from genjax.families import gan


def get_config() -> ConfigDict:
    c = gan.default_config()
    c.data.name = "tfds:fashion_mnist"
    c.steps = 6500
    c.batch_size = 32
    c.checkpoint_every = 500
    c.sample_every = 1000
    c.eval_every = 2000
    c.eval_metrics = "fid"
    c.ema_decay = 0.999
    c.model.network = "resnet"
    c.model.latent_dim = 64
    c.model.generator_channels = (32, 64)
    c.model.critic_channels = (32, 64)
    c.model.conditional = True
    c.model.generator_norm = "batch"
    c.loss.n_critic = 1
    c.loss.penalty_weight = 10.0
    c.optimizer.learning_rate = 5e-4
    c.critic_optimizer.learning_rate = 1e-3
    return c
