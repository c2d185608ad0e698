"""Sequence to sequence: a recurrent encoder and a recurrent decoder, with or without attention.

    p(y | x) = prod_t softmax(W v_t)[y_t],   v_t = tanh(W_c [c_t; h_t])

h_t is the decoder's state behind y_{t-1}, c_t the source's states weighted by attention. Sources:
Sutskever et al. 2014 (none), Bahdanau et al. 2015 (the score `additive`), Chorowski et al. 2015
(`location`), Luong et al. 2015 (the scores `multiplicative` and `dot`, and input feeding); see
`genjax.models.seq2seq`.
"""

from ml_collections import ConfigDict

from genjax.core.config import choose, fail, optimizer
from genjax.core.family import DataSpec, OldFamily, compute_dtype
from genjax.families._pairs import build_pairs, check_pairs, pair_config
from genjax.families._recurrent import check_rates
from genjax.models.recurrent import CELLS
from genjax.models.seq2seq import ATTENTIONS, Seq2Seq


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for `reverse`; recipes change what they need."""
    c = pair_config("seq2seq")
    c.model = ConfigDict()
    c.model.cell = "lstm"  # or "gru", "rnn"
    c.model.embed_dim = 64  # width of a token's vector, and of what predicts one
    c.model.hidden = 128  # units of each layer; of the encoder's half in each direction
    c.model.layers = 1
    c.model.bidirectional = True  # the encoder
    c.model.attention = "additive"  # location, multiplicative, dot, none
    c.model.input_feeding = True  # what predicts a token is part of the next step's input
    c.model.tied = False  # the target's vectors are the output's weights too
    c.model.dropout = 0.0  # of each layer's inputs and of what predicts
    c.optimizer = optimizer(learning_rate=2e-3, clip_norm=1.0)
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `seq2seq` for a config like `configs/seq2seq_attention.py`.

    Args:
      config: the resolved config.
      spec: of pairs.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    m = config.model
    check_pairs(config, spec)
    _check(m)
    network = Seq2Seq(
        spec.vocab_size, spec.target_vocab_size, **m,
        dtype=compute_dtype(config.precision),
    )  # fmt: skip
    return build_pairs(config, spec, total_steps, network, attends=m.attention != "none")


def _check(m: ConfigDict) -> None:
    choose("model.cell", m.cell, CELLS)
    choose("model.attention", m.attention, ATTENTIONS)
    for field in ("embed_dim", "hidden", "layers"):
        if m[field] < 1:
            raise fail(f"model.{field}", m[field], "must be at least 1")
    if m.bidirectional and m.hidden % 2:
        raise fail("model.hidden", m.hidden, "must be even: half of it for each direction")
    if m.input_feeding and m.attention == "none":
        raise fail("model.input_feeding", True, "needs model.attention")
    if m.attention == "location" and not m.input_feeding:
        raise fail("model.attention", "location", "needs model.input_feeding=True: step by step")
    check_rates(m, "dropout")
