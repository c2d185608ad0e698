"""Fused attention: where it is taken, and that it computes what attention is.

What a GPU computes is not known here: what is lowered for one is.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas

from genjax.core import batch
from genjax.ops.attention import multi_head_attention
from genjax.ops.masks import causal_mask, padding_mask, segment_mask
from genjax.ops.platform import traced_for

T = 1024
SHORT = 384  # three blocks of the kernel of TPUs


def masks(length):
    tokens = (np.arange(length) < np.array([[length], [200]])).astype(np.int32)
    causal, padding = causal_mask(length), padding_mask(tokens)
    return {
        "all": None,
        "causal": causal,
        "padding": padding,
        "causal, padding": causal & padding,
        "nothing seen": padding & padding_mask(np.array([[1], [0]]) * tokens),
        "packed": causal & segment_mask(np.where(tokens, 1 + np.arange(length) // 90, 0)),
    }


MASKS = masks(T)


def shapes(dtype=jnp.bfloat16, size=16, queries=T, keys=T):
    query, key = (2, 4, queries, size), (2, 2, keys, size)
    return [jax.ShapeDtypeStruct(s, dtype) for s in (query, key, key)]


def number(query, key, value, mask=None, **options):
    return multi_head_attention(query, key, value, mask, **options).astype(jnp.float32).sum()


def lowered(platform, arguments, mask=None, number=number, **options):
    with traced_for(platform), jax.enable_x64(False):  # kernels count in int32
        of = jax.jit(jax.grad(lambda *heads: number(*heads, mask, **options), (0, 1, 2)))
        return of.trace(*arguments).lower(lowering_platforms=(platform,)).as_text()


FUSED = {"cuda": "__cudnn$fmhaSoftmaxBackward", "tpu": "tpu_custom_call"}
TAKEN = [
    (name, platform)
    for name in MASKS
    for platform in FUSED
    if (name, platform) != ("packed", "cuda")
]


@pytest.mark.parametrize(("name", "platform"), TAKEN)
def test_a_kernel_is_taken_where_masks_and_shapes_allow(name, platform):
    assert FUSED[platform] in lowered(platform, shapes(), MASKS[name])


REFUSED = {
    "float32": ({"dtype": jnp.float32}, None, {}, "needs bfloat16 or float16, not float32"),
    "odd heads": ({"size": 12}, None, {}, "needs heads of a multiple of 8 features"),
    "wide heads": ({"size": 136}, None, {}, "128 at most, not 136"),
    "few keys": ({"keys": 64}, None, {}, "at least 128 queries and keys, not 1024 and 64"),
    "odd": ({"queries": 129, "keys": 129}, None, {}, "queries and keys, not 129 and 129"),
    "array": ({}, np.ones((1, 1, T), bool), {}, "a mask of `genjax.ops.masks`, not an array"),
    "further": ({"keys": 2048}, causal_mask(T, 2048), {}, "as many keys as queries"),
    "dropout": ({}, None, {"on_weights": lambda w: w}, ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_attention_is_plain_elsewhere(name):
    of, mask, options, message = REFUSED[name]
    for platform in FUSED:
        assert "custom_call" not in lowered(platform, shapes(**of), mask, **options)
    for lowering in ("cudnn", "flash") if message else ():
        with pytest.raises(ValueError, match=f"lowering='{lowering}': .*{message}"):
            lowered("cpu", shapes(**of), mask, lowering=lowering)


def test_attention_is_plain_on_cpu_of_segments_on_cuda_and_of_few_keys_on_tpus():
    assert "custom_call" not in lowered("cpu", shapes(), MASKS["causal"])
    assert "custom_call" not in lowered("cuda", shapes(), MASKS["packed"])
    few = shapes(queries=512, keys=512)
    assert "custom_call" not in lowered("tpu", few) and FUSED["cuda"] in lowered("cuda", few)


def test_members_that_share_a_mask_have_the_kernel():
    members = [jax.ShapeDtypeStruct((3, *s.shape), s.dtype) for s in shapes()]

    def of_members(*heads):
        *heads, mask = heads
        return jax.vmap(lambda *one: number(*one, mask))(*heads).sum()

    for platform, call in FUSED.items():
        assert call in lowered(platform, members, MASKS["padding"], number=of_members)


@pytest.mark.parametrize("axes", [{"data": 2}, {"data": 2, "model": 2}])
def test_each_device_runs_the_kernel_of_tpus_on_its_rows_and_heads(axes):
    kinds = (jax.sharding.AxisType.Auto,) * len(axes)
    mesh = jax.sharding.AbstractMesh(tuple(axes.values()), tuple(axes), kinds)
    with batch.over(mesh):
        text = lowered("tpu", shapes(), MASKS["packed"])
    calls = re.findall(r"@tpu_custom_call.*-> \(?tensor<([x\d]+)xbf16>", text)
    assert calls and set(calls) == {f"1x{4 // axes.get('model', 1)}x{T}x16"}


@pytest.mark.parametrize("name", ["causal", "nothing seen", "packed"])
def test_the_kernel_of_tpus_computes_attention_within_the_error_of_bfloat16(name, monkeypatch):
    rng = np.random.default_rng(0)
    arguments = shapes(queries=SHORT, keys=SHORT)
    heads = [jnp.asarray(rng.normal(size=s.shape), jnp.bfloat16) for s in arguments]
    weight = rng.normal(size=heads[0].shape)

    def values(lowering, *heads):
        def loss(*heads):
            answers = multi_head_attention(*heads, masks(SHORT)[name], lowering=lowering)
            return (answers * weight.astype(answers.dtype)).sum(), answers

        gradients, answers = jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))(*heads)
        return answers, *gradients

    exact = values("plain", *(h.astype(jnp.float64) for h in heads))
    interpreted = functools.partial(pallas.pallas_call, interpret=True)
    monkeypatch.setattr(pallas, "pallas_call", interpreted)
    with jax.enable_x64(False):
        found = values("flash", *heads)
    # Of what sees nothing or is not seen exactly 0; the gradient of a query that sees one key is 0
    # but for the rounding of a difference, which is another on other processors.
    for a, b, rounded in zip(found, exact, (0, 1e-6, 0, 0)):
        assert a.dtype == jnp.bfloat16
        a = np.asarray(a, np.float64)
        assert np.linalg.norm(a - b) < 2**-7 * np.linalg.norm(b)
        assert (np.abs(a[np.asarray(b) == 0]) <= rounded).all()
