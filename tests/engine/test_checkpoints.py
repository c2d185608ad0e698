"""What checkpoints promise, with real files, real kills and real full disks."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from genjax.core.config import ConfigError
from genjax.core.family import new_state
from genjax.engine.checkpoints import Checkpoints, SaveError
from tests.engine.processes import ROOT, run_python
from tests.engine.saving_child import state_at, template


def make_state(seed=0):
    params = {"net": {"Dense_0": {"kernel": jax.random.normal(jax.random.key(seed), (8, 5))}}}
    return new_state(
        jax.random.key(seed, impl="rbg" if seed else None),
        params=params,
        opt_state={"optimizer": optax.adam(1e-3).init(params)},
        variables={"empty": jnp.zeros((0, 3)), "none": None, "flags": jnp.array([True, False])},
        ema={"half": jnp.array([jnp.nan, -0.0, 1.5], jnp.bfloat16)},
    )


def shapes_of(state):
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state
    )


def bits(tree):
    def raw(x):
        x = jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
        return str(x.dtype), x.shape, np.asarray(x).tobytes()

    return jax.tree.map(raw, tree)


def two_saved(directory):
    checkpoints = Checkpoints(directory)
    checkpoints.save(10, make_state(0).replace(step=jnp.int32(10)))
    checkpoints.save(20, make_state(0).replace(step=jnp.int32(20)), wait=True)
    checkpoints.close()


def restored_step(directory):
    step, state = Checkpoints(directory).restore(shapes_of(make_state(0)))
    assert int(state.step) == step
    return step


# What comes back


@pytest.mark.parametrize("seed", [0, 1])
def test_restored_state_equals_the_saved_one_bit_for_bit(tmp_path, seed):
    state = make_state(seed)
    checkpoints = Checkpoints(tmp_path)
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


def test_restore_step_names_what_there_is(tmp_path):
    two_saved(tmp_path)
    like = shapes_of(make_state())
    assert int(Checkpoints(tmp_path).restore_step(like, 10).step) == 10
    with pytest.raises(ConfigError, match=r"does not exist; complete are: \[10, 20\]"):
        Checkpoints(tmp_path).restore_step(like, 15)


def test_opening_checkpoints_does_not_import_orbax(tmp_path):
    code = """
        import sys
        from genjax.engine.checkpoints import Checkpoints
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
    checkpoints.save(15, make_state(), wait=True)
    assert checkpoints.steps() == [15]
    checkpoints.save(20, make_state().replace(step=jnp.int32(20)), wait=True)  # in its place
    assert restored_step(tmp_path) == 20


def test_a_step_saved_again_after_resume_is_left_alone(tmp_path):
    two_saved(tmp_path)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.restore(shapes_of(make_state()))
    before = (tmp_path / "20").stat().st_ino
    checkpoints.save(20, make_state(), wait=True)
    assert (tmp_path / "20").stat().st_ino == before


def test_leftovers_of_killed_saves_are_removed_by_the_next_save(tmp_path):
    two_saved(tmp_path)
    shutil.copytree(tmp_path / "20", tmp_path / "30.orbax-checkpoint-tmp")
    shutil.copytree(tmp_path / "20", tmp_path / "5.trash")
    shutil.copytree(tmp_path / "20", tmp_path / "15")
    (tmp_path / "15" / "genjax_manifest.json").unlink()
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(40, make_state(), wait=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["20", "40"]


# What is not trusted


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [flip, cut, zero, Path.unlink])
def test_damage_to_any_file_is_noticed_and_the_older_checkpoint_taken(tmp_path, caplog, damage):
    two_saved(tmp_path)
    whole = shutil.copytree(tmp_path / "20", tmp_path / "whole")
    files = [p.relative_to(whole) for p in whole.rglob("*") if p.is_file()]
    assert len(files) >= 8
    for file in files:
        damage(tmp_path / "20" / file)
        caplog.clear()
        assert restored_step(tmp_path) == 10, file
        (warning,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
        assert str(tmp_path / "20") in warning
        assert file.name in warning
        shutil.rmtree(tmp_path / "20")
        shutil.copytree(whole, tmp_path / "20")
    assert restored_step(tmp_path) == 20


def test_a_folder_without_manifest_is_not_a_checkpoint(tmp_path):
    two_saved(tmp_path)
    (tmp_path / "20" / "genjax_manifest.json").unlink()
    assert Checkpoints(tmp_path).steps() == [10]
    assert restored_step(tmp_path) == 10
    (tmp_path / "30").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "40").write_text("a file")
    assert restored_step(tmp_path) == 10


# Kills


def start_saving(directory):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.engine.saving_child", str(directory)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def finished_steps(child):
    """Kills the child for good; the last step it said was complete."""
    child.send_signal(signal.SIGKILL)
    lines = child.communicate(timeout=60)[0].split()
    return int(lines[-1]) if lines else 0


def at_temporary_folder(directory):
    while not list(directory.glob("*.orbax-checkpoint-tmp*")):
        pass


def at_commit(directory):
    newest = max((int(p.name) for p in directory.iterdir() if p.name.isdecimal()), default=0)
    while not (directory / str(newest + 1)).exists():
        pass


def at_random(directory):
    time.sleep(random.uniform(0.0, 0.3))


def check_after_kill(directory, said):
    found = Checkpoints(directory).restore(template())
    assert found is not None
    step, state = found
    assert said <= step <= said + 1
    assert bits(state) == bits(jax.jit(state_at)(step))
    return step


@pytest.mark.parametrize("moment", [at_temporary_folder, at_commit, at_random])
def test_a_kill_in_the_middle_of_a_save_leaves_a_whole_state(tmp_path, moment):
    kill_and_check(tmp_path, moment, times=2)


@pytest.mark.slow
def test_many_kills_in_a_row_never_lose_a_complete_state(tmp_path):
    kill_and_check(tmp_path, at_random, times=15)


def kill_and_check(directory, moment, times):
    reached = 0
    for _ in range(times):
        child = start_saving(directory)
        try:
            assert child.stdout is not None
            first = int(child.stdout.readline())  # it saves without a pause from here on
            moment(directory)
        finally:
            said = finished_steps(child)
        assert first == reached + 1  # it resumed where the last one had got to
        reached = check_after_kill(directory, max(said, first))


# Disks


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 1 MiB; `remount` changes its options."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def test_a_full_disk_is_one_clear_error_and_loses_nothing(small_disk):
    small = {"x": jnp.arange(100)}
    large = {"x": jax.random.normal(jax.random.key(0), (1000, 1000))}
    checkpoints = Checkpoints(small_disk / "checkpoints")
    checkpoints.save(1, small, wait=True)
    with pytest.raises(SaveError, match=f"cannot save checkpoint {small_disk}") as e:
        checkpoints.save(2, large, wait=True)
    assert "\n" not in str(e.value)
    assert checkpoints.steps() == [1]
    assert [p.name for p in (small_disk / "checkpoints").iterdir()] == ["1"]
    checkpoints.save(3, small, wait=True)  # there is room again
    checkpoints.close()
    step, state = Checkpoints(small_disk / "checkpoints").restore(shapes_of(small))
    assert step == 3
    assert bits(state) == bits(small)


def test_a_save_in_the_background_tells_its_error_at_the_next_call(small_disk):
    large = {"x": jax.random.normal(jax.random.key(0), (1000, 1000))}
    checkpoints = Checkpoints(small_disk)
    checkpoints.save(1, large)
    with pytest.raises(SaveError, match="1"):
        checkpoints.close()
    checkpoints.close()  # told once


def test_a_read_only_disk_is_one_clear_error(small_disk):
    state = {"x": jnp.arange(100)}
    checkpoints = Checkpoints(small_disk)
    checkpoints.save(1, state, wait=True)
    remount(small_disk, "ro")
    try:
        with pytest.raises(SaveError, match=f"{small_disk}.*[Rr]ead-only"):
            checkpoints.save(2, state, wait=True)
        assert Checkpoints(small_disk).restore(shapes_of(state))[0] == 1
        with pytest.raises(SaveError, match=r"[Rr]ead-only"):
            Checkpoints(small_disk / "new").save(1, state, wait=True)
    finally:
        remount(small_disk, "rw")


# Devices and processes


def test_a_state_saved_on_8_devices_is_restored_on_other_shardings(tmp_path):
    code = """
        import sys
        import jax, jax.numpy as jnp, numpy as np
        from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
        from genjax.engine.checkpoints import Checkpoints

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
        from genjax.engine.checkpoints import Checkpoints

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
