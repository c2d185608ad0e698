"""Logits and their cross-entropy against the plain forms; pieces against the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.ops import cross_entropy as ops
from tests.ops.agree import assert_agree, draw

BATCH, LENGTH, WIDTH, VOCAB = 2, 7, 4, 5
OPTIONS = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.01), (0.3, 0.1)]  # label smoothing, z-loss
HIDDEN, KERNEL, BIAS = draw(BATCH, LENGTH, WIDTH), draw(WIDTH, VOCAB), draw(VOCAB)
TARGET = np.random.default_rng(0).integers(0, VOCAB, (BATCH, LENGTH))


@pytest.mark.parametrize("lowering", ["matmul", "stock"])
def test_logits_are_a_product_and_a_sum(lowering):
    def logits(*arguments):
        return ops.token_logits(*arguments, bias_lowering=lowering)

    assert_agree(logits, lambda h, k, b: h @ k + b, HIDDEN, KERNEL, BIAS)
    assert_agree(logits, jnp.matmul, HIDDEN, KERNEL)


@pytest.mark.parametrize("options", OPTIONS)
def test_cross_entropy_is_that_of_the_log_softmax(options):
    smoothing, z_loss = options

    def plain(logits):
        wanted = jax.nn.one_hot(TARGET, VOCAB) * (1 - smoothing) + smoothing / VOCAB
        log_z = jax.nn.logsumexp(logits, -1)
        return -(wanted * jax.nn.log_softmax(logits)).sum(-1) + z_loss * log_z**2

    assert_agree(lambda x: ops.cross_entropy(x, TARGET, *options), plain, 3 * HIDDEN @ KERNEL)


@pytest.mark.parametrize("chunk", [1, 2, 7, 10])
def test_pieces_give_what_the_whole_gives(chunk):
    def f(x, y):
        return jnp.tanh(x @ KERNEL).sum(-1) * y

    arguments = HIDDEN, draw(BATCH, LENGTH)
    assert_agree(lambda *a: ops.in_chunks(f, chunk, *a), f, *arguments)


def test_pieces_hold_a_part_of_the_logits():
    """Forward and backward, the memory grows with the piece and not with the text."""

    def temporary_bytes(chunk):
        def nll(hidden, target, kernel):
            return ops.cross_entropy(ops.token_logits(hidden, kernel), target)

        def loss(hidden, target, kernel):
            if not chunk:
                return nll(hidden, target, kernel).sum()
            return ops.in_chunks(lambda *a: nll(*a, kernel), chunk, hidden, target).sum()

        shapes = ((2, 128, 8), "float32"), ((2, 128), "int32"), ((8, 5000), "float32")
        arrays = [jax.ShapeDtypeStruct(*s) for s in shapes]
        compiled = jax.jit(jax.grad(loss, (0, 2))).lower(*arrays).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    logits = 2 * 128 * 5000 * 4
    assert temporary_bytes(0) >= logits
    assert temporary_bytes(8) < logits / 4


def test_wrong_shapes_are_refused_by_name():
    with pytest.raises(ValueError, match=r"bias_V: must have shape \(V,\)"):
        ops.token_logits(HIDDEN, KERNEL, BIAS[None])
    with pytest.raises(ValueError, match=r"kernel_DxV: must have shape \(D, V\)"):
        ops.token_logits(HIDDEN, KERNEL.T)
