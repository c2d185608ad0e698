import gzip
import json
import time

import jax
import jax.numpy as jnp
import pytest

from genjax.core.config import ConfigError
from genjax.engine.profiling import (
    Clock,
    Profiler,
    flops_of,
    flops_of_function,
    measured_gemm_rate,
    parse_profile_steps,
)


def test_profile_steps_are_read():
    assert parse_profile_steps("10:25") == (10, 25)
    assert parse_profile_steps("0:1") == (0, 1)
    assert parse_profile_steps("") is None


@pytest.mark.parametrize("text", ["5", "5:", ":5", "5:5", "6:5", "-1:5", "a:b", "1:2:3", "1.5:2"])
def test_profile_steps_that_make_no_range_are_refused(text):
    with pytest.raises(ConfigError, match=f"--profile_steps='{text}': must be a:b"):
        parse_profile_steps(text)


@pytest.mark.parametrize(
    ("steps", "traced"),
    [
        ((150, 160), [(100, 200)]),
        ((100, 101), [(100, 200)]),
        ((199, 201), [(100, 200), (200, 300)]),
        ((0, 1), [(0, 100)]),
        ((400, 500), []),
    ],
)
def test_the_chunks_that_hold_the_steps_are_traced(tmp_path, steps, traced):
    profiler = Profiler(tmp_path, steps)
    found = []
    for chunk in ((0, 100), (100, 200), (200, 300), (300, 400)):
        profiler.before(*chunk)
        if profiler._running:
            found.append(chunk)
        profiler.after(chunk[1], jnp.ones(3) + 1)
    profiler.close()
    assert found == traced
    assert bool(list(tmp_path.rglob("*.xplane.pb"))) == bool(traced)


def test_a_trace_opens_in_tensorboard_and_in_perfetto(tmp_path):
    profiler = Profiler(tmp_path, (0, 1))
    profiler.before(0, 1)
    y = jax.jit(lambda x: x @ x)(jnp.ones((50, 50)))
    profiler.after(1, y)
    (trace,) = (tmp_path / "profile").rglob("perfetto_trace.json.gz")
    assert json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    (xplane,) = (tmp_path / "profile" / "plugins" / "profile").rglob("*.xplane.pb")
    assert xplane.stat().st_size > 0


def test_a_run_that_ends_within_the_steps_still_leaves_its_trace(tmp_path):
    profiler = Profiler(tmp_path, (0, 1000))
    profiler.before(0, 10)
    profiler.after(10)
    assert not list(tmp_path.rglob("*.xplane.pb"))
    profiler.close()
    assert list(tmp_path.rglob("*.xplane.pb"))


def test_the_parts_of_the_clock_add_up_and_inner_parts_count_once():
    began = time.perf_counter()
    clock = Clock()
    with clock("compile"):
        time.sleep(0.02)
        with clock("data"):
            time.sleep(0.03)
        time.sleep(0.02)
    time.sleep(0.01)
    with pytest.raises(KeyError), clock("device"):
        time.sleep(0.01)
        raise KeyError
    seconds = clock.summary()
    assert set(seconds) == {*Clock.PARTS, "total"}
    for part, slept in {"compile": 0.04, "data": 0.03, "device": 0.01, "host": 0.01}.items():
        assert seconds[part] >= slept
    assert seconds["total"] == pytest.approx(sum(seconds[p] for p in Clock.PARTS))
    assert 0.09 <= seconds["total"] <= time.perf_counter() - began


def test_training_seconds_leave_out_compilation_and_evaluation():
    clock = Clock()
    with clock("compile"):
        time.sleep(0.2)
    with clock("evaluation"):
        time.sleep(0.2)
    with clock("data"):
        time.sleep(0.01)
    seconds = clock.summary()
    assert 0.01 <= clock.training_seconds() <= seconds["total"] - 0.4 + 0.1


def test_an_unknown_part_of_the_clock_is_refused():
    with pytest.raises(ValueError, match="part 'gpu' is not one of compile, data, device"):
        Clock()("gpu").__enter__()


def test_the_operations_of_a_matrix_product_are_two_per_multiply_and_add():
    a, b = jnp.ones((64, 128)), jnp.ones((128, 32))
    compiled = jax.jit(jnp.matmul).lower(a, b).compile()
    assert flops_of(compiled) == 2 * 64 * 128 * 32
    assert flops_of_function(jnp.matmul, a, b) == 2 * 64 * 128 * 32


@pytest.mark.parametrize("unroll", [1, 3, 10])
def test_loop_bodies_count_as_often_as_they_run(unroll):
    w = jax.ShapeDtypeStruct((64, 64), jnp.float32)
    product = 2 * 64**3

    def inner(w):
        return jax.lax.scan(lambda c, _: (c @ c, None), w, None, length=10, unroll=unroll)[0]

    def outer(w):
        body = jax.jit(lambda c, _: (jax.jit(inner)(c) @ c, None))
        return jax.lax.scan(body, w, None, length=5)[0] @ w

    assert flops_of_function(inner, w) == pytest.approx(10 * product, rel=1e-3)
    assert flops_of_function(outer, w) == pytest.approx((5 * 11 + 1) * product, rel=1e-3)


def test_operations_are_counted_through_keys_and_gradients():
    def loss(w, key):
        noise = jax.random.normal(key, (32, 64))
        return jax.lax.scan(lambda c, _: (jnp.tanh(c @ w), None), noise, None, length=7)[0].sum()

    w, key = jnp.ones((64, 64)), jax.random.key(0)
    once = 2 * 32 * 64 * 64
    # Forward, and two products a step backward.
    assert flops_of_function(jax.grad(loss), w, key) == pytest.approx(3 * 7 * once, rel=0.1)


def test_the_gemm_rate_is_that_of_a_computer():
    assert 1e8 < measured_gemm_rate(seconds=0.05) < 1e16
    assert 1e7 < measured_gemm_rate(jnp.bfloat16, seconds=0.02) < 1e16
