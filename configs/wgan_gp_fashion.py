"""WGAN-GP with convolutions on Fashion-MNIST, 28x28, through TFDS."""

from ml_collections import ConfigDict

from genjax.families import wgan


def get_config() -> ConfigDict:
    c = wgan.default_config()
    c.data.name = "tfds:fashion_mnist"
    c.steps = 4000
    c.checkpoint_every = 500
    c.sample_every = 500
    c.ema_decay = 0.999
    c.model.network = "conv"
    c.model.latent_dim = 64
    c.loss.n_critic = 1
    c.optimizer.learning_rate = 5e-4
    c.critic_optimizer.learning_rate = 1e-3
    return c
