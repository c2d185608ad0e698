"""WGAN-GP with residual networks on any folder of pictures, as squares of 32, 64 or 128 pixels.

    python -m experiments.train --config=configs/wgan_gp_folder.py --workdir=runs/own \\
        --config.data.name=images:DIR
    python -m experiments.train --config=wgan_gp_folder:128 --workdir=runs/own_128 \\
        --config.data.name=images:DIR --config.data.channels=3

For a GPU; not recorded yet. The shorter side is scaled to the size and the center cropped; the
channels are those of the folder. 100,000 generator updates of 64 examples with five critic updates
each, Adam(1e-4, 0, 0.9), its rate falling to 0, lambda 10; channels double from the largest picture
on as in the paper for 64 pixels (arXiv:1704.00028). An update is about 3.7, 5.2 or 23 TFLOP
(counted by hand, for 32, 64, 128 pixels): the run takes at least 1.5, 2 or 9.5 hours at 67 TFLOP/s
of float32 (an H100's peak). Folders without classes are scored by `--weights` alone.
"""

from ml_collections import ConfigDict

from genjax import recipes
from genjax.core.config import choose

CHANNELS = {  # from the largest picture on, 4x4 behind the last
    "32": (128, 256, 512), "64": (64, 128, 256, 512), "128": (64, 128, 256, 512, 512),
}  # fmt: skip


def get_config(size: str = "64") -> ConfigDict:
    choose("data.image_size", size, tuple(CHANNELS))
    c = recipes.beside(__file__, "wgan_gp_cifar10")
    c.data.name = "images:"  # and the folder, on the command line
    c.data.image_size = int(size)
    c.model.generator_channels = c.model.critic_channels = CHANNELS[size]
    c.model.plain_blocks = 0
    c.model.critic_norm = "layer"
    for optimizer in (c.optimizer, c.critic_optimizer):
        optimizer.learning_rate = 1e-4
    return c
