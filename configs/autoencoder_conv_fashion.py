"""A convolutional autoencoder on Fashion-MNIST through TFDS.

    python -m experiments.train --config=configs/autoencoder_conv_fashion.py --workdir=runs/conv_ae

80 s on 2 CPU cores. Test reconstruction 0.273 nats a pixel (Bernoulli), squared error 0.0099.
"""

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
