"""Skip-gram with negative sampling on 5.65 million words of dictionary definitions, two epochs.

    python -m experiments.train --config=configs/word2vec_definitions.py --config.data.dir=DIR \\
        --workdir=runs/definitions
    python -m experiments.word_vectors --workdir=runs/definitions --out=vectors.bin \\
        --similarity=wordsim353.tsv,simlex999.txt

DIR holds `definitions.txt.gz`, one definition a line. Spearman's correlation with WordSim-353 and
SimLex-999 after these two epochs, 12 s on 2 CPU cores, five seeds: 0.473 ± 0.005 and 0.258 ± 0.003,
± standard error (gensim with the same settings: 0.440 ± 0.002 and 0.249 ± 0.000); after one:
0.341 ± 0.009 and 0.187 ± 0.003 (0.294 ± 0.003, 0.171 ± 0.001). `python -m
benchmarks.word_similarity` makes both.
"""

from ml_collections import ConfigDict

from genjax.families import word2vec


def get_config() -> ConfigDict:
    c = word2vec.default_config()
    c.data.name = "text:definitions.txt.gz"
    c.data.test_fraction = 0.001
    c.epochs = 2.0
    c.log_every = 1000
    c.checkpoint_every = 100_000
    return c
