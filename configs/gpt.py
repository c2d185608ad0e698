"""GPT with nanoGPT's CPU budget (4 layers, 4 heads, width 128, 64 characters) on Python's own docs.

    python -m experiments.train --config=configs/gpt.py --workdir=runs/gpt
    python -m experiments.sample --workdir=runs/gpt --prompt="The "

83 s on 2 CPU cores: loss 1.373 nats on the test text, 1.98 bits a character. What it writes has the
docs' words and form, and no sense.
"""

from ml_collections import ConfigDict

from genjax.families import gpt


def get_config() -> ConfigDict:
    c = gpt.default_config()
    c.steps = 2000
    c.batch_size = 12
    c.eval_every = 500
    c.sample_every = 500
    c.checkpoint_every = 500
    c.ema_decay = 0.98
    c.model.scan = False
    c.model.init_std = 0.06
    c.optimizer.learning_rate = 4e-3
    c.optimizer.schedule = "linear"
    c.optimizer.warmup_steps = 100
    return c
