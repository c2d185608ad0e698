"""What one field on the command line means for others of the recipe."""

from pathlib import Path

import pytest
from absl import flags

from genjax import recipes
from genjax.cli import sweep
from genjax.core.config import ConfigError
from tests.cli.helpers import ROOT, TINY, main
from tests.contracts.recipes import recipes as names


@pytest.mark.parametrize("recipe", names())
@pytest.mark.parametrize("duration", ["steps=7", "epochs=0.5", "examples=300"])
def test_a_duration_takes_the_place_of_the_recipes(recipe: str, duration: str) -> None:
    said: list[str] = []
    config = recipes.load(str(ROOT / "configs" / f"{recipe}.py"))
    new = recipes.override(config, [f"--config.{duration}"], flags.FlagValues(), said)
    name, _, value = duration.partition("=")
    assert [(n, new[n]) for n in ("steps", "epochs", "examples") if new[n]] == [
        (name, float(value))
    ]
    assert len(said) == (config[name] == 0) and config.to_json() != new.to_json()


def test_a_swept_duration_takes_the_place_of_the_recipes(tmp_path: Path) -> None:
    axis = sweep.Axis("steps", [5, 6])
    groups = sweep.plan(recipes.load("autoencoder"), [axis], 2, tmp_path)
    assert [(g.config.steps, g.config.epochs, g.config.executor) for g in groups] == [
        (5, 0, "vmap"),
        (6, 0, "vmap"),
    ]


def test_two_durations_of_the_command_line_are_refused_by_name() -> None:
    config = recipes.load("autoencoder")
    with pytest.raises(ConfigError, match=r"config.steps=5 and --config.examples=9: are two"):
        recipes.override(config, ["--config.steps=5", "--config.examples=9"], flags.FlagValues())


def test_seeds_mean_a_population_and_the_first_lines_say_what_was_meant(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    args = [arg for arg in TINY if not arg.startswith("--config.epochs")]
    args += ["--config.steps=2", "--config.num_seeds=2", f"--workdir={tmp_path / 'run'}"]
    assert main("train", *args) == 0
    assert caplog.messages[:2] == [
        "config.steps=2 takes the place of the recipe's epochs=100.0",
        "config.num_seeds=2: a population (executor=vmap)",
    ]
