"""Where arrays live: the shape rule of FSDP, and what really lies on each device."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AbstractMesh
from jax.sharding import PartitionSpec as P

from genjax import data, families
from genjax.core.config import ConfigError, validate
from genjax.engine import placement
from genjax.engine.run import prepare
from tests.contracts import recipes
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
    params = {"kernel": jnp.ones((64, 128)), "bias": jnp.ones(128)}
    state = {"params": params, "opt": optax.adam(1e-3).init(params)}
    mesh = AbstractMesh((8,), (placement.DATA_AXIS,))
    shardings = placement.state_shardings(mesh, state, "fsdp")
    moments = shardings["opt"][0]
    assert moments.mu == moments.nu == shardings["params"]


@pytest.mark.parametrize("mode", ["data", "fsdp"])
def test_layers_are_split_over_model_and_over_another_axis_over_data(mode):
    mesh = AbstractMesh((2, 4), ("data", "model"))
    rest = "data" if mode == "fsdp" else None
    expected = {
        "attention": {
            "query_key_value": {"kernel": P(None, "model", rest), "bias": P(None, None)},
            "out": {"kernel": P(None, "model", rest), "bias": P(None, None)},
        },
        "cross_attention": {"query": {"kernel": P(None, rest, "model"), "bias": P(None, "model")}},
        "feed_forward": {
            "up": {"kernel": P(None, rest, "model"), "bias": P(None, "model")},
            "down": {"kernel": P(None, "model", rest), "bias": P(None, None)},
        },
    }

    def leaf(path, _):
        of_kernel = jax.tree_util.keystr(path[-1:], simple=True) == "kernel"
        return jnp.ones((3, 64, 64) if of_kernel else (3, 64))

    layers = jax.tree_util.tree_map_with_path(leaf, expected, is_leaf=lambda x: isinstance(x, P))
    params = {"stack": {"layers": layers}, "query": {"kernel": jnp.ones((64, 32))}}
    state = {"params": params, "opt": optax.adam(1e-3).init(params)}
    found = placement.state_shardings(mesh, state, mode)
    assert jax.tree.map(lambda s: s.spec, found["params"]["stack"]["layers"]) == expected
    assert found["params"]["query"]["kernel"].spec == P(rest, None)  # is of no layer
    assert found["opt"][0].mu == found["opt"][0].nu == found["params"]


REFUSED = [
    ("data:2,tensor:4", {}, "must be data:N or data:N,model:M, each a whole number of at least 1"),
    ("model:4,data:2", {}, "must be data:N or data:N,model:M"),
    ("data:0", {}, "must be data:N or data:N,model:M"),
    ("data:2,model:4", {"executor": "scan"}, "needs executor=sharded, not scan"),
    ("data:2,model:4", {"elastic": 8}, "excludes elastic=8"),
    ("data:2,model:2", {}, "must be of all devices, 8, not of 4"),
    ("data:1,model:8", {}, "model must divide the devices of a process, 4"),
    ("data:4,model:2", {"recipe": "vae"}, "family=vae has no layers that can be split"),
    ("data:2,model:4", {"model__num_heads": 2}, "model must divide the heads of layers, 2"),
    ("data:2,model:4", {"model__num_kv_heads": 2}, "the heads of keys and values of layers, 2"),
    ("data:2,model:4", {"model__mlp_dim": 6}, "the width in feed-forward networks of layers, 6"),
]


@pytest.mark.parametrize(("mesh", "changes", "message"), REFUSED)
def test_what_cannot_be_a_mesh_is_refused(mesh, changes, message, tmp_path):
    given = {"recipe": "gpt", "executor": "sharded", "mesh": mesh} | changes
    config = recipes.tiny(given.pop("recipe"), tmp_path, **given)
    devices = [SimpleNamespace(process_index=i // 4) for i in range(8)]
    with pytest.raises(ConfigError) as refusal:
        validate(config)
        family = families.build(config, data.load(config.data).spec, 20)
        placement.configured_mesh(config, family, devices)
    assert str(refusal.value).startswith(f"config.mesh={mesh!r}: ") and message in str(
        refusal.value
    )


def test_a_mesh_is_checked_before_anything_is_written(tmp_path):
    config = recipes.tiny("gpt", tmp_path, executor="sharded", mesh="data:2")
    with pytest.raises(ConfigError, match="must be of all devices, 1, not of 2"):
        prepare(config)
    config = recipes.tiny("gpt", tmp_path, executor="sharded", mesh="data:1", batch_size=16)
    assert dict(prepare(config).executor.mesh.shape) == {"data": 1}


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
