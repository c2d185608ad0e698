"""WGAN-GP on the bundled digits."""

from ml_collections import ConfigDict

from genjax.core.config import base, optimizer


def get_config() -> ConfigDict:
    c = base()
    c.family = "wgan"
    c.steps = 6000
    c.batch_size = 64
    c.ema_decay = 0.999  # of the generator
    c.model = ConfigDict()
    c.model.network = "mlp"  # or "conv"
    c.model.latent_dim = 32
    c.model.generator_hidden = (256, 256)  # mlp
    c.model.critic_hidden = (256, 256)  # mlp
    c.model.generator_channels = (64, 128)  # conv, from the largest image to the smallest
    c.model.critic_channels = (64, 128)  # conv
    c.model.generator_activation = "relu"
    c.model.critic_activation = "leaky_relu"
    c.model.generator_norm = "none"  # or "batch", "layer"
    c.model.critic_norm = "none"  # or "layer"; batch norm makes the penalty wrong
    c.model.conv_lowering = "auto"  # or "matmul", "stock": see genjax/models/conv.py
    c.loss = ConfigDict()
    c.loss.n_critic = 3  # critic updates a generator update
    c.loss.penalty_weight = 1.0  # lambda
    c.loss.penalty_every = 1  # lazy penalty: only at every k-th critic update, k times as strong
    c.loss.target = 1.0  # of the gradient norm
    c.loss.one_sided = False  # punish only norms above the target
    c.loss.formulation = "reverse"  # or "forward": same gradient, see losses/adversarial.py
    c.optimizer = optimizer(learning_rate=5e-4, b1=0.0, b2=0.9, schedule="linear")  # generator
    c.critic_optimizer = optimizer(learning_rate=5e-4, b1=0.0, b2=0.9, schedule="linear")
    return c
