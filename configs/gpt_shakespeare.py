"""GPT on Shakespeare's characters, within nanoGPT's CPU budget: 2,000 steps of 12 x 64 characters.

    python -m experiments.train --config=configs/gpt_shakespeare.py:MODEL --workdir=runs/shakespeare

MODEL: gpt (the default, the layers of gpt.py) or modern (those of gpt_modern.py). nanoGPT states a
validation loss of 1.88 for this budget. Its validation text is TFDS's validation and test together:
gpt comes to 1.716 there, 1.673 on validation (`--config.data.test=validation`) and 1.759 on test,
in 5 minutes on 2 busy CPU cores. modern: 1.708 on test, in 80 s on 2 CPU cores.
"""

from ml_collections import ConfigDict

from genjax import recipes
from genjax.core.config import ConfigError

RECIPES = {"gpt": "gpt", "modern": "gpt_modern"}


def get_config(model: str = "gpt") -> ConfigDict:
    if model not in RECIPES:
        allowed = ", ".join(RECIPES)
        raise ConfigError(f"--config=gpt_shakespeare.py:{model}: must be one of {allowed}")
    c = recipes.beside(__file__, RECIPES[model])
    c.data.name = "tfds:tiny_shakespeare"
    return c
