"""DCGAN on Fashion-MNIST, 28x28, through TFDS.

    python -m experiments.train --config=configs/dcgan_fashion.py --workdir=runs/dcgan_fashion

2,344 updates in 9 minutes on 2 busy CPU cores. FID 23.2, precision 0.43, recall 0.74 by genjax's
own classifier, 10,000 samples (`python -m experiments.evaluate --metrics=fid,prdc`).
"""

from ml_collections import ConfigDict

from genjax import recipes


def get_config() -> ConfigDict:
    c = recipes.beside(__file__, "dcgan")
    c.data.name = "tfds:fashion_mnist"
    c.steps = 0
    c.epochs = 5.0
    return c
