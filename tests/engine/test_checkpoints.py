"""What checkpoints give back, what they keep, and on which devices."""

import json
import os
import shutil

import jax
import jax.numpy as jnp
import pytest

from genjax.core.config import ConfigError
from genjax.engine.checkpoints import Checkpoints, _self_checksum
from tests.engine.processes import run_python
from tests.engine.states import bits, flip, make_state, restored_step, shapes_of, two_saved

# What comes back


@pytest.mark.parametrize(("seed", "folder"), [(0, "plain"), (1, "a %20ü#?b")])
def test_restored_state_equals_the_saved_one_bit_for_bit(tmp_path, seed, folder):
    state = make_state(seed, 3)
    checkpoints = Checkpoints(tmp_path / folder)
    checkpoints.save(3, state)
    step, restored = checkpoints.restore(shapes_of(state))
    assert step == 3
    assert bits(restored) == bits(state)
    assert jax.random.key_impl(restored.key) == jax.random.key_impl(state.key)


def test_nothing_is_restored_from_an_absent_or_empty_folder(tmp_path):
    assert Checkpoints(tmp_path / "absent").restore(shapes_of(make_state())) is None
    assert Checkpoints(tmp_path).restore(shapes_of(make_state())) is None
    assert not (tmp_path / "absent").exists()


def test_state_may_be_donated_right_after_save(tmp_path):
    wreck = jax.jit(lambda t: jax.tree.map(lambda x: x * 0 - 7, t), donate_argnums=0)
    fill = jax.jit(lambda: {str(i): jnp.full((600, 700), i + 1.0) for i in range(6)})
    wreck(fill())
    checkpoints = Checkpoints(tmp_path)
    state = fill()
    wanted, like = bits(state), shapes_of(state)
    for step in range(3):
        checkpoints.save(step, state)
        wrecked = wreck(state)
        assert all(x.is_deleted() for x in state.values())  # donated, so truly overwritten
        jax.block_until_ready(wrecked)
        assert bits(checkpoints.restore_step(like, step)) == wanted
        state = fill()


def test_restored_state_is_donated_and_compiles_nothing(tmp_path):
    step = jax.jit(lambda t: jax.tree.map(lambda x: x + 1, t), donate_argnums=0)
    device = jax.devices()[0]
    state = step(jax.device_put({"a": jnp.ones((4, 4)), "b": jnp.int32(2)}, device))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state)
    _, restored = checkpoints.restore(shapes_of(state))
    before = step._cache_size()
    step(restored)
    assert step._cache_size() == before
    assert restored["a"].is_deleted()


def test_a_checkpoint_of_another_config_is_refused_in_one_line(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"w": jnp.ones((3, 4)), "b": jnp.ones(3)}, wait=True)
    like = shapes_of({"w": jnp.ones((3, 5)), "b": jnp.ones(3)})
    with pytest.raises(ConfigError, match=r"another config: w is float32\[3,4\].*\[3,5\]") as e:
        checkpoints.restore(like)
    assert "\n" not in str(e.value)
    with pytest.raises(ConfigError, match=r"b is float32\[3\] in it and absent in this one"):
        checkpoints.restore(shapes_of({"w": jnp.ones((3, 4))}))
    with pytest.raises(ConfigError, match=r"w is float32.* and bfloat16"):
        checkpoints.restore(shapes_of({"w": jnp.ones((3, 4), jnp.bfloat16), "b": jnp.ones(3)}))


def test_a_part_is_restored_by_itself(tmp_path):
    state = make_state(0, 3)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, state, wait=True)
    part = {"params": state.params}
    step, restored = checkpoints.restore(shapes_of(part), part=True)
    assert step == 3
    assert bits(restored) == bits(part)
    with pytest.raises(ConfigError, match=r"params.other is absent in it and float32\[2\]"):
        checkpoints.restore(shapes_of({"params": {"other": jnp.ones(2)}}), part=True)


def test_restore_step_names_what_there_is(tmp_path):
    two_saved(tmp_path)
    like = shapes_of(make_state())
    assert int(Checkpoints(tmp_path).restore_step(like, 10).step) == 10
    with pytest.raises(ConfigError, match=r"does not exist; complete are: \[10, 20\]"):
        Checkpoints(tmp_path).restore_step(like, 15)


@pytest.mark.parametrize("old", [False, True])
def test_a_folder_that_is_not_named_for_its_states_step_is_passed_over(tmp_path, old, caplog):
    two_saved(tmp_path)
    if old:  # from before manifests told the step
        manifest = tmp_path / "20" / "genjax_manifest.json"
        body = {n: v for n, v in json.loads(manifest.read_text()).items() if n != "step"}
        del body["self"]
        manifest.write_text(json.dumps(body | {"self": _self_checksum(body)}))
        assert restored_step(tmp_path) == 20
    (tmp_path / "20").rename(tmp_path / "90")
    assert restored_step(tmp_path) == 10
    assert any("90 is skipped" in r.getMessage() and "20" in r.getMessage() for r in caplog.records)
    with pytest.raises(ConfigError, match="of step 20"):
        Checkpoints(tmp_path).restore_step(shapes_of(make_state()), 90)


def test_opening_checkpoints_does_not_import_orbax(tmp_path):
    code = """
        import sys
        from genjax.engine.checkpoints import Checkpoints, _self_checksum
        checkpoints = Checkpoints(sys.argv[1])
        assert checkpoints.restore({}) is None and checkpoints.steps() == []
        assert not any(name.split(".")[0] in ("orbax", "tensorstore") for name in sys.modules)
    """
    run_python(code, tmp_path)


# What is kept


def test_the_last_n_and_every_mth_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_last=2, keep_every=4)
    for step in range(1, 12):
        checkpoints.save(step, {"x": jnp.int32(step)}, wait=step % 3 == 0)
    checkpoints.close()
    assert Checkpoints(tmp_path).steps() == [4, 8, 10, 11]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["10", "11", "4", "8"]


def test_a_corrupted_checkpoint_does_not_count_among_the_last_n(tmp_path):
    two_saved(tmp_path)
    flip(max((p for p in (tmp_path / "20").rglob("*") if p.is_file()), key=os.path.getsize))
    checkpoints = Checkpoints(tmp_path, keep_last=1)
    like = shapes_of(make_state())
    assert checkpoints.restore(like)[0] == 10
    checkpoints.save(15, make_state(0, 15), wait=True)
    assert checkpoints.steps() == [15]
    checkpoints.save(20, make_state(0, 20), wait=True)  # in its place
    assert restored_step(tmp_path) == 20


def test_the_step_just_restored_is_not_saved_again(tmp_path):
    two_saved(tmp_path)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.restore(shapes_of(make_state()))
    before = (tmp_path / "20").stat().st_ino
    checkpoints.save(20, make_state(0, 20), wait=True)
    assert (tmp_path / "20").stat().st_ino == before


def test_leftovers_of_killed_saves_are_removed_by_the_next_save(tmp_path):
    two_saved(tmp_path)
    shutil.copytree(tmp_path / "20", tmp_path / "30.orbax-checkpoint-tmp")
    shutil.copytree(tmp_path / "20", tmp_path / "5.trash")
    shutil.copytree(tmp_path / "20", tmp_path / "15")
    (tmp_path / "15" / "genjax_manifest.json").unlink()
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(40, make_state(0, 40), wait=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["20", "40"]


# Devices and processes


def test_a_state_saved_on_8_devices_is_restored_on_other_shardings(tmp_path):
    code = """
        import sys
        import jax, jax.numpy as jnp, numpy as np
        from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
        from genjax.engine.checkpoints import Checkpoints, _self_checksum

        def mesh(n):
            return jax.make_mesh((n,), ("x",), axis_types=(AxisType.Auto,),
                                 devices=jax.devices()[:n])
        def place(n, spec):
            return NamedSharding(mesh(n), spec)
        values = {"w": np.arange(64.0).reshape(16, 4), "b": np.arange(3)}
        state = {"w": jax.device_put(values["w"], place(8, P("x"))),
                 "b": jax.device_put(values["b"], place(8, P())),
                 "keys": jax.device_put(jax.random.split(jax.random.key(0), 8), place(8, P("x"))),
                 "key": jax.device_put(jax.random.key(1), place(8, P()))}
        checkpoints = Checkpoints(sys.argv[1])
        checkpoints.save(1, state)
        for n, spec in ((8, P("x")), (2, P("x")), (4, P(None, "x")), (1, P())):
            like = {name: jax.ShapeDtypeStruct(x.shape, x.dtype,
                                               sharding=place(n, spec if name == "w" else P()))
                    for name, x in state.items()}
            _, got = checkpoints.restore(like)
            for name in state:
                assert got[name].sharding.is_equivalent_to(like[name].sharding, state[name].ndim)
            for name in values:
                np.testing.assert_array_equal(got[name], values[name])
            for name in ("keys", "key"):
                np.testing.assert_array_equal(*map(jax.random.key_data, (got[name], state[name])))
    """
    run_python(code, tmp_path, devices=8)


def test_two_processes_save_and_restore_one_state(tmp_path):
    code = """
        import jax.numpy as jnp, numpy as np, os, pathlib
        from jax.experimental import multihost_utils
        from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
        from genjax.engine.checkpoints import Checkpoints, _self_checksum

        mesh = jax.make_mesh((8,), ("x",), axis_types=(AxisType.Auto,))
        def make(step):
            w = np.arange(64.0, dtype=np.float32).reshape(16, 4) + step
            w = jax.make_array_from_callback(w.shape, NamedSharding(mesh, P("x")), lambda i: w[i])
            everywhere = NamedSharding(mesh, P())
            key = jax.jit(lambda: jax.random.key(step), out_shardings=everywhere)()
            return {"w": w, "key": key}
        folder = pathlib.Path(sys.argv[1])
        checkpoints = Checkpoints(folder, keep_last=2)
        for step in (1, 2, 3):
            checkpoints.save(step, make(step))
        checkpoints.close()
        multihost_utils.sync_global_devices("saved")
        assert Checkpoints(folder).steps() == [2, 3]
        assert (folder / "3" / "ocdbt.process_1").is_dir()
        multihost_utils.sync_global_devices("seen")
        if jax.process_index() == 0:
            file = max((folder / "3").glob("ocdbt.process_1/d/*"), key=os.path.getsize)
            os.truncate(file, file.stat().st_size // 2)
        like = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), make(0))
        step, state = Checkpoints(folder).restore(like)
        assert step == 2
        for got, wanted in zip(state["w"].addressable_shards, make(2)["w"].addressable_shards):
            np.testing.assert_array_equal(got.data, wanted.data)
        key = jax.random.key_data(state["key"]).addressable_shards[0].data
        np.testing.assert_array_equal(key, jax.random.key_data(jax.random.key(2)))
        print("done")
    """
    (first, errors), (second, _) = run_python(code, tmp_path, devices=4, processes=2)
    assert "done" in first
    assert "done" in second
    assert f"{tmp_path / '3'} is skipped" in errors
