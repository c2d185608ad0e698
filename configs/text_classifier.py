"""Bidirectional LSTM that tells the topic of a paragraph of Python's own docs.

    python -m experiments.train --config=configs/text_classifier.py --workdir=runs/text_classifier

4 minutes on 2 CPU cores beside another job: 50.9 % of held-out paragraphs find their topic, one of
78 (the most frequent: 16 %; a linear SVM on TF-IDF: 48.5 %). `--config.model.network=bag
--config.model.layers=0 --config.model.bigrams=20000 --config.optimizer.learning_rate=5e-3`: 48.5 %
in 26 seconds.
"""

from ml_collections import ConfigDict

from genjax.families import classifier


def get_config() -> ConfigDict:
    c = classifier.default_config()
    c.epochs = 30.0
    c.batch_size = 32
    c.data.min_count = 2
    c.model.word_dropout = 0.3
    c.optimizer.learning_rate = 2e-3
    return c
