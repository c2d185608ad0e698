"""WGAN-GP on CIFAR-10 as Gulrajani et al. 2017 (arXiv:1704.00028, appendix F) train it: residual.

    python -m experiments.train --config=configs/wgan_gp_cifar10.py --workdir=runs/cifar10
    python -m experiments.evaluate --workdir=runs/cifar10 --metrics=fid,is --weights=FILE

For a GPU; not recorded yet. 100,000 generator updates of 64 examples with five critic updates each,
128 channels throughout, Adam(2e-4, 0, 0.9), its rate falling to 0, lambda 10. The paper states an
Inception score of 7.86 without labels; others found FID 17 to 29 by protocol. An update is about
1.6 TFLOP (counted by hand: five critic updates of 0.29, one of the generator of 0.15), the run
160 PFLOP: at least 40 minutes at 67 TFLOP/s of float32 (an H100's peak), 10 days on 2 CPU cores
of 0.19 TFLOP/s. It lowers for CUDA and TPU (tests/families/test_wgan_gp_recipes.py).
"""

from ml_collections import ConfigDict

from genjax.families import gan


def get_config() -> ConfigDict:
    c = gan.default_config()
    c.data.name = "tfds:cifar10"
    c.steps = 100_000
    c.batch_size = 64
    c.log_every = 500
    c.checkpoint_every = 5000
    c.sample_every = 5000
    c.model.network = "resnet"
    c.model.latent_dim = 128
    c.model.generator_channels = (128, 128, 128)
    c.model.critic_channels = (128, 128)
    c.model.plain_blocks = 2
    c.model.generator_norm = "batch"
    c.model.critic_activation = "relu"
    c.loss.n_critic = 5
    c.loss.penalty_weight = 10.0
    for optimizer in (c.optimizer, c.critic_optimizer):
        optimizer.update(learning_rate=2e-4, b1=0.0, b2=0.9, schedule="linear")
    return c
