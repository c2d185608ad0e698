"""Autoencoders of film reviews' sentences (SST-2), whose variants augment classifiers of them.

    python -m experiments.train --config=configs/autoencoder_sst2.py:METHOD \\
        --workdir=runs/autoencoder_sst2_METHOD --config.data.dir=DIR

METHOD: denoising (the default), or variational. DIR holds train.tsv and test.tsv, of SST-2; labels
are not read. `experiments.text_augmentation` trains both, and says what they restore of noised
sentences and whether they help a classifier. Not recorded yet: on 2 CPU cores that others use as
well an update of the first took 0.3 s, its 4,325 so 20 minutes.
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
