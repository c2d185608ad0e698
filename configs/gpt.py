"""GPT with nanoGPT's CPU budget (4 layers, 4 heads, width 128, 64 characters) on Python's own docs.

    python -m experiments.train --config=configs/gpt.py --workdir=runs/gpt
    python -m experiments.sample --workdir=runs/gpt --prompt="The "

Not recorded yet.
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
    c.model.scan = False
    c.optimizer.schedule = "cosine"
    c.optimizer.warmup_steps = 100
    c.optimizer.end_factor = 0.1
    return c
