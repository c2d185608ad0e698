"""Dense autoencoder on the bundled digits."""

from ml_collections import ConfigDict

from genjax.core.config import base, optimizer


def get_config() -> ConfigDict:
    c = base()
    c.family = "autoencoder"
    c.epochs = 100.0
    c.batch_size = 64
    c.model = ConfigDict()
    c.model.network = "mlp"  # or "conv"
    c.model.latent_dim = 16
    c.model.encoder_hidden = (128,)  # mlp
    c.model.decoder_hidden = (128,)  # mlp
    c.model.encoder_channels = (32, 64)  # conv, from the largest image to the smallest
    c.model.decoder_channels = (32, 64)  # conv, in the same order
    c.model.activation = "relu"
    c.model.dropout = 0.0  # after each hidden layer of the mlp
    c.model.conv_lowering = "auto"  # or "matmul", "stock": see genjax/models/conv.py
    c.loss = ConfigDict()
    c.loss.likelihood = "bernoulli"  # cross-entropy of pixels; or "mse"
    c.loss.code_l1 = 0.0  # weight of the code's L1 norm (sparse codes)
    c.loss.l2 = 0.0  # weight of the squared norm of all weight matrices
    c.optimizer = optimizer(learning_rate=1e-3)
    return c
