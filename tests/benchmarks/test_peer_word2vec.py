"""The peer's skip-gram makes the same arithmetic: an update is our gradient, summed over pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import losses

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")

VOCAB, DIM, PAIRS, NEGATIVES, RATE = 11, 4, 6, 3, 0.1


def test_an_update_of_the_peer_is_our_gradient():
    from benchmarks.peers import torch_word2vec as peer

    torch.manual_seed(0)
    model = peer.SkipGram(torch.arange(VOCAB) + 1, DIM, NEGATIVES, RATE)
    model.contexts.normal_()
    center, context = torch.randint(0, VOCAB, (2, PAIRS))
    negative = model.drawn(PAIRS)
    assert negative.shape == (PAIRS, NEGATIVES)
    before = [table.numpy().copy() for table in (model.words, model.contexts)]

    def loss(words, contexts):
        v, u = words[center.numpy()], contexts[context.numpy()]
        noise = jnp.einsum("pd,pkd->pk", v, contexts[negative.numpy()])
        positive = (v * u).sum(-1, keepdims=True)
        each = losses.negative_sampling_loss(positive, jnp.ones((PAIRS, 1)), noise, NEGATIVES)
        return each.sum()

    gradients = jax.grad(loss, argnums=(0, 1))(*before)
    model.update(center, context, negative)
    for table, old, gradient in zip((model.words, model.contexts), before, gradients):
        np.testing.assert_allclose(table.numpy(), old - RATE * gradient, atol=1e-6)


def test_pairs_are_of_one_line_and_within_the_window():
    from benchmarks.peers import torch_word2vec as peer

    torch.manual_seed(0)
    text, line = torch.arange(12), torch.arange(12) // 4
    center, context = peer.kept_pairs(text, line, torch.ones(12), window=2)
    far = (center - context).abs()
    assert ((far > 0) & (far <= 2)).all() and (line[center] == line[context]).all()
    assert {(5, 4), (5, 6)} <= set(zip(center.tolist(), context.tolist()))  # of every radius
    none = peer.kept_pairs(text, line, torch.zeros(12), window=2)
    assert all(len(part) == 0 for part in none)
