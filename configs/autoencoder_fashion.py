"""The classic tutorial's dense autoencoder, 784-64-32-64-784, on Fashion-MNIST through TFDS."""

from ml_collections import ConfigDict

from genjax.families import autoencoder


def get_config() -> ConfigDict:
    c = autoencoder.default_config()
    c.data.name = "tfds:fashion_mnist"
    c.epochs = 20.0
    c.batch_size = 256
    c.model.latent_dim = 32
    c.model.encoder_hidden = (64,)
    c.model.decoder_hidden = (64,)
    return c
