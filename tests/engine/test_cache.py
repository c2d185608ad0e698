import os
import stat

import jax
import pytest

from genjax.engine.compilation_cache import enable_compilation_cache
from tests.engine.processes import run_python

SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user cache folder of its own, and JAX's settings as they were afterwards."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_default_is_a_private_folder_in_the_users_cache(home):
    folder = enable_compilation_cache()
    assert folder is not None
    assert folder.parent == home / "genjax" / "xla"
    assert jax.config.jax_compilation_cache_dir == str(folder)
    assert mode(folder) == mode(folder.parent) == mode(home / "genjax") == 0o700
    assert enable_compilation_cache(folder) == folder  # again, by name


def test_a_folder_that_jax_was_given_is_taken_as_it_is(home):
    jax.config.update("jax_compilation_cache_dir", str(home / "given"))
    assert enable_compilation_cache() == home / "given"
    assert jax.config.jax_compilation_cache_dir == str(home / "given")
    assert not (home / "genjax").exists()


def test_a_folder_that_others_may_read_is_made_private(home):
    (home / "mine").mkdir(mode=0o755)
    assert enable_compilation_cache(home / "mine") == home / "mine"
    assert mode(home / "mine") == 0o700


@pytest.mark.parametrize("where", ["genjax", "genjax/xla"])
def test_a_folder_that_others_may_write_is_not_used(home, caplog, where):
    (home / "genjax" / "xla").mkdir(parents=True, mode=0o700)
    (home / where).chmod(0o777)
    assert enable_compilation_cache() is None
    assert "can be written by others (mode 0777)" in caplog.text
    assert jax.config.jax_compilation_cache_dir is None


def test_a_folder_of_another_user_is_not_used(home, caplog):
    (home / "theirs").mkdir(mode=0o700)
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(home / "theirs", 12345, 12345)
    assert enable_compilation_cache(home / "theirs") is None
    assert "belongs to another user (id 12345)" in caplog.text


def test_a_link_is_not_followed(home, caplog):
    (home / "elsewhere").mkdir()
    (home / "link").symlink_to(home / "elsewhere")
    assert enable_compilation_cache(home / "link") is None
    assert "is not a folder" in caplog.text


def test_no_folder_can_be_made_below_a_file(home, caplog):
    (home / "genjax").write_text("a file")
    assert enable_compilation_cache() is None
    assert "No compilation cache" in caplog.text


def test_small_programs_are_found_again_by_the_next_process(tmp_path):
    code = """
        import sys, jax, jax.numpy as jnp
        from genjax.engine.compilation_cache import enable_compilation_cache
        folder = enable_compilation_cache(sys.argv[1])
        hits = []
        jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
        jax.jit(lambda x: x * 2 + 1)(jnp.ones(3)).block_until_ready()
        print(sum("cache_hits" in event for event in hits), len(list(folder.iterdir())))
    """
    ((cold, _),) = run_python(code, tmp_path / "cache")
    ((warm, errors),) = run_python(code, tmp_path / "cache")
    assert cold.split()[0] == "0"
    assert int(warm.split()[0]) == int(cold.split()[1]) >= 1
    assert "machine" not in errors  # of features that the program was compiled for
