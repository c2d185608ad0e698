"""A convolutional autoencoder on Fashion-MNIST through TFDS."""

from ml_collections import ConfigDict

from genjax.families import autoencoder


def get_config() -> ConfigDict:
    c = autoencoder.default_config()
    c.data.name = "tfds:fashion_mnist"
    c.epochs = 4.0
    c.batch_size = 128
    c.model.network = "conv"
    c.model.latent_dim = 32
    return c
