"""ELMo, two layers of 256 units in each direction, on dictionary definitions, 5.65 million words.

    python -m experiments.train --config=configs/elmo_definitions.py --workdir=runs/definitions \\
        --config.data.dir=DIR
    python -m experiments.ngrams --workdir=runs/definitions

DIR holds definitions.txt.gz, a definition a line. Two epochs of one schedule, 5,755 updates, are
not recorded: an update took 1 s on 2 CPU cores shared with seven other people. What is recorded are
one epoch with its own schedule (4.87 nats a token of the test split), and from there, with the
schedule of 1.5 epochs, the rest: 4.82, forward 4.80, backward 4.85. `ngrams`, which read forward:
unigrams 5.88, bigrams 5.16, trigrams 4.81.
"""

from ml_collections import ConfigDict

from genjax.families import elmo


def get_config() -> ConfigDict:
    c = elmo.default_config()
    c.epochs = 2.0
    c.batch_size = 64
    c.eval_every = 1000
    c.checkpoint_every = 1000
    c.data.name = "text:definitions.txt.gz"
    c.data.test_fraction = 0.02
    c.optimizer.schedule = "cosine"
    c.optimizer.warmup_steps = 200
    return c
