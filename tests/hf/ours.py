"""What genjax says of tokens, from a pretrained model."""

import jax
import numpy as np

from genjax.core.fields import read
from genjax.families._transformers import LayerFields, make_layers
from genjax.models.bert import Encoder, Heads
from genjax.models.gpt import Network
from genjax.ops.masks import causal_mask


def gpt_logits(pretrained, ids_BxT):
    """(B, T, V), without `model.banned_tokens`."""
    config, params, codec = pretrained
    m = config.model
    layers = make_layers(read(LayerFields, config, "model"), config.precision)
    network = Network(codec.vocab_size, config.data.length, layers, m.positions, m.tie_embeddings)

    def run(params, ids):
        hidden = network.apply({"params": params}, ids, causal_mask(ids.shape[1]))
        return hidden @ network.apply({"params": params}, method="kernel")

    with jax.default_matmul_precision("highest"):
        return np.asarray(jax.jit(run)(params["network"], ids_BxT))


def bert_logits(pretrained, ids_BxT, types_BxT):
    """(B, T, V) of tokens, and (B,) that the second text follows, None without that head."""
    config, params, codec = pretrained
    layers = make_layers(read(LayerFields, config, "model"), config.precision)
    paired = config.loss.next_sentence
    places = config.data.length + (4 if paired else 2)
    encoder = Encoder(codec.vocab_size, places, layers, config.model.positions, num_types=2)
    heads = Heads(codec.vocab_size, layers, paired)

    def run(params, ids, types):
        hidden = encoder.apply({"params": params["encoder"]}, ids, types)
        table = params["encoder"]["embedding"]["tokens"]
        of = {"params": params["heads"]}
        follows = heads.apply(of, hidden, method="next_sentence") if paired else None
        return heads.apply(of, hidden, table), follows

    with jax.default_matmul_precision("highest"):
        return jax.tree.map(np.asarray, jax.jit(run)(params, ids_BxT, types_BxT))
