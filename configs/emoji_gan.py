"""WGAN-GP with residual networks on emoji, 32x32 in color: without classes, or by category.

    python -m experiments.train --config=configs/emoji_gan.py --workdir=runs/emoji \\
        --config.data.name=images:DIR
    python -m experiments.train --config=emoji_gan:conditional --workdir=runs/emoji_categories \\
        --config.data.name=images:DIR
    python -m experiments.evaluate --workdir=runs/emoji --metrics=fid,prdc,mind --split=test

DIR has a folder for each category, with pictures called DESIGN_CODES.png as emoji-datasource calls
them: `google_1f44b-1f3fd.png`. Designs and skin tones of one symbol are near-duplicates, so whole
symbols are held out: `data.split_by` takes all code points of a name but the tones. An
update is 0.08 TFLOP: 4,000 take at least 28 minutes on 2 CPU cores of 0.19 TFLOP/s. Not recorded
yet. How good the classifier that judges samples is says docs/numbers.md.
"""

from ml_collections import ConfigDict

from genjax.core.config import choose
from genjax.families import gan

SYMBOL = r"_([0-9a-f]+)(?=[-.])|-(?!1f3f[b-f])([0-9a-f]+)"


def get_config(classes: str = "unconditional") -> ConfigDict:
    choose("model.conditional", classes, ("unconditional", "conditional"))
    c = gan.default_config()
    c.data.name = "images:"  # and the folder, on the command line
    c.data.channels = 3
    c.data.split_by = SYMBOL
    c.steps = 4000
    c.checkpoint_every = 500
    c.sample_every = 500
    c.ema_decay = 0.999
    c.model.network = "resnet"
    c.model.latent_dim = 64
    c.model.generator_channels = (32, 64, 128)
    c.model.critic_channels = (32, 64, 128)
    c.model.plain_blocks = 1
    c.model.conditional = classes == "conditional"
    c.loss.n_critic = 1
    c.optimizer.learning_rate = 5e-4
    c.critic_optimizer.learning_rate = 1e-3
    return c
