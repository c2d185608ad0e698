"""Recurrent translation of Multi30k's captions, German to English, with and without attention.

    python -m experiments.train --config=configs/seq2seq_multi30k.py:ATTENTION \\
        --workdir=runs/seq2seq_multi30k --config.data.dir=DIR
    python -m experiments.evaluate --workdir=runs/seq2seq_multi30k
    python -m experiments.sample --workdir=runs/seq2seq_multi30k --prompt="ein mann liest ein buch."

ATTENTION: additive (the default: Bahdanau's), multiplicative or dot (Luong's), or none. DIR holds
train.de.gz, train.en.gz and those of test_2016_flickr. Words are lower-cased; those that occur only
once are unknown. Test (test_2016_flickr) after 2,719 updates, 30 minutes on 2 CPU cores: additive
37.7 BLEU of lower-cased words, with `--beam=4` 38.8; of sacreBLEU's own tokens 37.0; 1.64 nats a
token. none, in 40 minutes beside other jobs: 23.2, with `--beam=4` 25.5; 22.7; 2.16.
"""

from ml_collections import ConfigDict

from genjax.families import seq2seq


def get_config(attention: str = "additive") -> ConfigDict:
    c = seq2seq.default_config()
    c.epochs = 12.0
    c.batch_size = 128
    c.ema_decay = 0.998
    c.buckets = (12, 15, 18, 24)
    c.eval_every = 500
    c.sample_every = 500
    c.checkpoint_every = 500
    c.data.update(
        name="pairs:train.de.gz,train.en.gz",
        test="test_2016_flickr.de.gz,test_2016_flickr.en.gz",
        lowercase=True,
        min_count=2,
        length=48,
        bucketed=True,
    )
    c.model.update(
        embed_dim=256,
        hidden=512,
        dropout=0.3,
        tie_embeddings=True,
        attention=attention,
        input_feeding=attention != "none",
    )
    c.loss.label_smoothing = 0.1
    c.optimizer.update(learning_rate=1e-3, schedule="cosine", warmup_steps=200, end_factor=0.05)
    return c
