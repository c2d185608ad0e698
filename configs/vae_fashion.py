"""VAE on Fashion-MNIST through TFDS, binarised anew each time: dense, 784-400-20, or convolutional.

    python -m experiments.train --config=configs/vae_fashion.py --workdir=runs/vae_fashion
    python -m experiments.train --config=configs/vae_fashion.py:conv --workdir=runs/conv_vae_fashion

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import vae


def get_config(network: str = "mlp") -> ConfigDict:
    c = vae.default_config()
    c.data.name = "tfds:fashion_mnist"
    c.epochs = 20.0
    c.batch_size = 128
    c.log_every = 200
    c.model.network = network
    c.model.latent_dim = 20
    c.model.encoder_hidden = (400,)
    c.model.decoder_hidden = (400,)
    c.loss.binarise = "dynamic"
    return c
