"""Where arrays live: the shape rule of FSDP, and what really lies on each device."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh
from jax.sharding import PartitionSpec as P

from genjax.engine import placement
from tests.engine.processes import run_python


def spec(shape, mode="fsdp", devices=8):
    mesh = AbstractMesh((devices,), (placement.DATA_AXIS,))
    leaf = jax.ShapeDtypeStruct(shape, jnp.float32)
    return placement.state_shardings(mesh, {"leaf": leaf}, mode)["leaf"].spec


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((64, 128), P(None, "data")),  # the largest axis
        ((128, 64), P("data", None)),
        ((100, 64), P(None, "data")),  # 8 does not divide 100
        ((4, 4, 64, 32), P(None, None, "data", None)),
        ((2048,), P("data")),
        ((100, 99), P(None, None)),  # 8 divides neither
        ((8, 16), P(None, None)),  # too small to be worth it
        ((512,), P(None)),
        ((), P()),
        ((0, 4096), P(None, None)),
    ],
)
def test_fsdp_splits_the_largest_axis_that_the_devices_divide(shape, expected):
    assert spec(shape) == expected
    assert spec(shape, "data") == P(*[None] * len(shape))


def test_parameters_and_their_optimizer_state_are_split_alike():
    import optax

    params = {"kernel": jnp.ones((64, 128)), "bias": jnp.ones(128)}
    state = {"params": params, "opt": optax.adam(1e-3).init(params)}
    mesh = AbstractMesh((8,), (placement.DATA_AXIS,))
    shardings = placement.state_shardings(mesh, state, "fsdp")
    moments = shardings["opt"][0]
    assert moments.mu == moments.nu == shardings["params"]


def test_one_device_is_a_mesh_as_well():
    mesh = placement.make_mesh(jax.devices()[:1])
    assert mesh.size == 1 and mesh.axis_names == ("data",)
    x = placement.put({"x": np.arange(4)}, placement.batch_sharding(mesh, 0))["x"]
    np.testing.assert_array_equal(x, np.arange(4))


REALLY_SPLIT = """
import jax, jax.numpy as jnp, numpy as np
from pathlib import Path
from genjax.engine import placement
from genjax.engine.run import prepare
from tests.contracts import recipes

def bytes_by_device(tree):
    by_device = dict.fromkeys(jax.devices(), 0)
    for x in jax.tree.leaves(tree):
        if not jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            for shard in x.addressable_shards:
                by_device[shard.device] += shard.data.nbytes
    return np.array(list(by_device.values()))

def after_a_chunk(sharding):
    config = recipes.tiny("autoencoder", Path("unused"), executor="sharded", sharding=sharding,
                          model__encoder_hidden=(512, 256), model__decoder_hidden=(256, 512))
    executor = prepare(config).executor
    state = executor.init()
    before = bytes_by_device(state)
    state, metrics = executor.run(state, 0, 4)
    assert (bytes_by_device(state) == before).all(), "the step changed the placement"
    assert all(m.is_fully_replicated for m in metrics.values())
    return before

whole, split = after_a_chunk("data"), after_a_chunk("fsdp")
assert (split < 0.14 * whole).all(), (split, whole)  # an eighth, and what is not worth splitting

mesh = placement.make_mesh()
x = np.arange(48).reshape(2, 8, 3)
rows = placement.put_rows(x, placement.batch_sharding(mesh, 1), 1)
for i, shard in enumerate(rows.addressable_shards):
    np.testing.assert_array_equal(shard.data, x[:, i : i + 1])
print("split")
"""


@pytest.mark.slow
def test_fsdp_leaves_an_eighth_of_the_state_on_each_of_eight_devices():
    [(output, _)] = run_python(REALLY_SPLIT, devices=8)
    assert output.strip() == "split"
