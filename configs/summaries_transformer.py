"""Summaries of package descriptions by a Transformer that copies: 3 layers of 192.

    python -m experiments.train --config=configs/summaries_transformer.py \\
        --workdir=runs/summaries_transformer --config.data.dir=DIR
    python -m experiments.evaluate --workdir=runs/summaries_transformer --beam=4
    python -m experiments.text_baselines --workdir=runs/summaries_transformer --beam=4

Not recorded, nor is its time. The data are those of `configs/summaries_lstm.py`, and so is what is
to be beaten on the test split, by ROUGE-1/2/L: 31.2 / 16.3 / 29.8 of the nearest description's
synopsis.
"""

from ml_collections import ConfigDict

from genjax import recipes
from genjax.families import transformer


def get_config() -> ConfigDict:
    lstm, c = recipes.beside(__file__, "summaries_lstm"), transformer.default_config()
    for name in ("batch_size", "ema_decay", "eval_every", "sample_every", "checkpoint_every"):
        c[name] = lstm[name]
    c.epochs = 6.0
    c.buckets = lstm.buckets
    c.data.update(lstm.data)
    c.model.update(
        copy=True, num_layers=3, width=192, mlp_dim=768, dropout=0.1, norm_first=True, scan=False
    )
    c.loss.label_smoothing = 0.0
    c.optimizer.update(learning_rate=8e-4, warmup_steps=800)
    return c
