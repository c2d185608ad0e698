"""Autoencoders of film reviews' sentences (SST-2), whose variants augment classifiers of them.

    python -m experiments.train --config=configs/autoencoder_sst2.py:METHOD \\
        --workdir=runs/autoencoder_sst2_METHOD --config.data.dir=DIR

METHOD: denoising (the default), or variational. DIR holds train.tsv and test.tsv, of SST-2; labels
are not read.
"""

from typing import Any

from ml_collections import ConfigDict

from genjax import recipes
from genjax.core.config import ConfigError

METHODS: dict[str, tuple[str, dict[str, Any]]] = {  # the recipe that it varies, and how
    "denoising": ("denoising_text_autoencoder", {}),
    "variational": ("text_vae", {"loss.kl_annealing_steps": 2000}),
}


def get_config(method: str = "denoising") -> ConfigDict:
    if method not in METHODS:
        message = f"must be one of {', '.join(METHODS)}"
        raise ConfigError(f"--config=autoencoder_sst2.py:{method}: {message}")
    recipe, changes = METHODS[method]
    c = recipes.beside(__file__, recipe)
    c.update_from_flattened_dict(changes)
    c.epochs = 20.0
    c.data.name = "tsv:train.tsv"
    c.data.test = "test.tsv"
    c.data.length = 40
    c.eval_every = 1000
    c.sample_every = 0
    c.checkpoint_every = 500
    return c
