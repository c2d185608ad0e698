"""BiLSTM-CRF on WNUT 2017: rare and new entities in noisy text, with characters and without.

    python -m experiments.train --config=configs/wnut17.py --workdir=runs/wnut17 \\
        --config.data.dir=DIR
    python -m experiments.evaluate --workdir=runs/wnut17

DIR holds train.conll and test.conll; `--config.data.test=dev.conll` to choose settings.
`--config.model.char_filters=0` leaves the characters out. From no vectors but its own, and after 4
minutes on 2 CPU cores beside other jobs, entity F1 is 16.0 % on the test (precision 30.2 %, recall
10.8 %), without characters 3.3 %: hardly a name of the test is a word of the training set. 29 of
its 1,287 sentences are cut at 64 words; entities behind the cut count as missed.
"""

from ml_collections import ConfigDict

from genjax.families import tagger


def get_config() -> ConfigDict:
    c = tagger.default_config()
    c.epochs = 15.0
    c.batch_size = 10
    c.data.name = "conll:train.conll"
    c.data.test = "test.conll"
    c.data.lowercase = True  # of words; characters keep their case
    c.model.word_dropout = 0.5  # most of the test's entities are words that training has not
    return c
