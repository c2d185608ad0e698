"""BERT of words, 4 layers of 128, on dictionary definitions, 5.65 million words.

    python -m experiments.train --config=configs/bert_definitions.py --workdir=runs/definitions \\
        --config.data.dir=DIR
    python -m experiments.ngrams --workdir=runs/definitions

DIR holds definitions.txt.gz, a definition a line. 30 minutes on 2 CPU cores beside another job:
5.02 nats a masked word of the test split, 25.6 % of them right; `ngrams`: unigrams 6.76, bigrams
5.91, trigrams 5.48. That split is the end of the file, another dictionary than most of it.
"""

from ml_collections import ConfigDict

from genjax.families import bert


def get_config() -> ConfigDict:
    c = bert.default_config()
    c.epochs = 2.0
    c.batch_size = 16
    c.eval_every = 2000
    c.sample_every = 2000
    c.checkpoint_every = 2000
    c.num_samples = 8
    c.data.name = "text:definitions.txt.gz"
    c.data.test_fraction = 0.02
    # Rotary positions find the neighbors of a place within hundreds of updates, learned ones stay
    # at the frequencies of words for thousands. `learned` is what Hugging Face's BERT has.
    c.model.update(positions="rotary", norm_first=True, init_std=0.0, scan=False)
    c.optimizer.schedule = "cosine"
    c.optimizer.warmup_steps = 300
    return c
