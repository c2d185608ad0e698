"""What `import genjax` offers: all of it, of known types, and nothing heavy before it is used."""

import subprocess
import sys

import pytest

import genjax
from genjax.core.config import ConfigError
from tests.cli.helpers import ROOT


def python(*words: str) -> str:
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_every_name_is_there_and_others_are_not():
    assert set(genjax.__all__) <= set(dir(genjax))
    assert all(getattr(genjax, name) is not None for name in genjax.__all__)
    assert genjax.losses.gradient_penalty and genjax.families.names()
    with pytest.raises(AttributeError, match="'genjax' has no attribute 'lode'"):
        genjax.lode  # noqa: B018


def test_importing_it_imports_nothing_heavy():
    heavy = ["jax", "flax", "orbax", "tensorflow_datasets", "grain", "sklearn", "matplotlib", "PIL"]
    imports = "import sys, genjax, genjax.cli.train; genjax.train, genjax.load"
    assert python("-c", f"{imports}; print([m for m in {heavy} if m in sys.modules])") == "[]"
    more = ["absl", "ml_collections", "numpy", *heavy]
    imports = "import sys, genjax, genjax.cli.main"
    assert python("-c", f"{imports}; print([m for m in {more} if m in sys.modules])") == "[]"


@pytest.mark.slow
def test_a_type_checker_knows_what_it_offers(tmp_path):
    script = tmp_path / "script.py"
    names = ["load", "train", "recipe", "losses.gradient_penalty", "families.names", "Family"]
    lines = [f"reveal_type(genjax.{name})" for name in [*names, "State", "__version__"]]
    script.write_text("\n".join(["import genjax", *lines, "reveal_type(genjax.load('a').sample)"]))
    shown = python("-m", "mypy", "--config-file=", "--ignore-missing-imports", str(script))
    revealed = [line.partition("Revealed type is ")[2] for line in shown.splitlines()[:-1]]
    assert len(revealed) == len(lines) + 1 and '"Any"' not in revealed, shown
    assert revealed[0].endswith('-> genjax.trained.model.Model"')
    assert revealed[1].endswith('-> genjax.api.Result"')


def test_a_recipe_is_found_by_name_and_changed_in_both_ways():
    config = genjax.recipe(
        "wgan_gp_mixture:ring", "loss.n_critic=5", epochs=2.0, **{"model.critic_hidden": (8, 8)}
    )
    assert (config.family, config.data.name, config.loss.n_critic) == ("gan", "ring", 5)
    assert (config.steps, config.epochs, config.model.critic_hidden) == (0, 2.0, (8, 8))
    assert config.is_locked
    assert genjax.recipe(ROOT / "configs/vae.py") == genjax.recipe("vae")


@pytest.mark.parametrize(
    ("name", "given", "fields", "message"),
    [
        ("wgan_pg", (), {}, "^config='wgan_pg': no such file; did you mean wgan_gp"),
        ("vae", ("loss.binarize_=none",), {}, "binarize_=none: no such field of this config; "),
        ("vae", (), {"batch_size": 1.5}, "config.batch_size='1.5': must be a whole number"),
        ("vae", (), {"model": 3}, "config.model=3: is a section; must be one of its fields: model"),
        ("vae", (), {"steps": 3, "epochs": 1}, "steps=3 and config.epochs=1.0: are two lengths"),
        ("vae", ("loss",), {}, "config.loss: is a section"),
        ("vae", ("seed 3",), {}, "config.seed 3: no such field"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line(name, given, fields, message):
    with pytest.raises(ConfigError, match=message) as error:
        genjax.recipe(name, *given, **fields)
    assert "\n" not in str(error.value)
