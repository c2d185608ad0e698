"""Two convolutions that tell the clothes of Fashion-MNIST apart.

    python -m experiments.train --config=configs/classifier_fashion.py --workdir=runs/clothes

Test accuracy 91.5 %, 0.236 nats an example (one seed), after 6.5 minutes on 2 CPU cores beside
other jobs. Data: `TFDS_DATA_DIR`.
"""

from ml_collections import ConfigDict

from genjax.families import classifier


def get_config() -> ConfigDict:
    c = classifier.picture_config()
    c.epochs = 7.0
    c.batch_size = 128
    c.data.name = "tfds:fashion_mnist"
    c.model.network = "conv"
    c.model.channels = (32, 64)
    c.model.head_hidden = (128,)
    c.model.dropout = 0.25
    c.optimizer.schedule = "cosine"
    return c
