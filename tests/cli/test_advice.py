"""What a run advises at its end is accepted, and does something, for every family."""

import shlex
from pathlib import Path

import pytest

from genjax.cli import advice, train
from genjax.engine import loop
from genjax.engine.executor import Executor
from genjax.engine.run import prepare
from genjax.recipes import load
from tests.cli.helpers import TINY, main
from tests.contracts import recipes


def _programs(commands: list[str]) -> list[tuple[str, list[str]]]:
    words = [shlex.split(c) for c in commands]
    assert words.pop()[0] == "tensorboard"
    assert all(w[:2] == ["python", "-m"] for w in words)
    return [(w[2].removeprefix("experiments."), w[3:]) for w in words]


EXPECTED = {
    "autoencoder": {"evaluate", "latent"}, "stacked_autoencoder": {"evaluate", "latent"},
    "vae": {"evaluate", "sample", "latent"}, "gan": {"evaluate", "sample", "latent"},
    "flow_matching": {"evaluate", "sample"},
    "text_autoencoder": {"evaluate", "sample --prompt", "latent"},
    "seq2seq": {"evaluate", "sample --prompt"}, "transformer": {"evaluate", "sample --prompt"},
    "tagger": {"evaluate", "sample --prompt"}, "classifier": {"evaluate"},
    "gpt": {"evaluate", "sample"}, "recurrent_lm": {"evaluate", "sample"},
    "continual": {"evaluate"}, "multitask": {"evaluate"},
    "semi_supervised_vae": {"evaluate", "sample", "latent"},
    "bert": {"evaluate"}, "elmo": {"evaluate"},
    "word2vec": {"evaluate", "word_vectors"},
}  # fmt: skip


# Families that are advised what another one is; CI runs the others.
_ALIKE = (
    "elmo", "flow_matching", "gan", "gpt", "multitask", "seq2seq", "stacked_autoencoder",
    "transformer",
)  # fmt: skip


def _marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow, *([pytest.mark.long] if name in _ALIKE else [])]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=_marks(name)) for name in sorted(recipes.first())]
)
def test_every_advised_command_ends_with_status_0(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(loop, "measured_gemm_rate", lambda dtype: 1.0)
    monkeypatch.setattr(Executor, "step_flops", lambda self: 1.0)
    config = recipes.tiny(name, tmp_path, steps=2, **{"eval_num_samples": 16})
    run, workdir = prepare(config), tmp_path / "a run"
    summary = loop.train(run, workdir)
    assert "nothing was left" not in train.report(run, str(workdir), summary)
    found = _programs(advice.commands(run, workdir))
    shown = {p + (" --prompt" if any("--prompt" in a for a in args) else "") for p, args in found}
    assert shown == EXPECTED[config.family]
    for command, args in found:
        assert main(command, *args) == 0, (command, args, capfd.readouterr().err)


def test_a_gan_on_digits_is_told_what_makes_better_pictures(tmp_path: Path) -> None:
    words = shlex.split(advice.following(prepare(recipes.tiny("wgan_gp", tmp_path))))
    assert words[:3] == ["python", "-m", "experiments.train"]
    given, workdir = words[3:]  # what the recipe sets is not said again
    assert workdir.startswith("--workdir=")
    config = load(given.removeprefix("--config="))
    assert config.family == "gan" and config.data.name == "tfds:fashion_mnist"
    assert config.sample_every and config.eval_every and config.eval_metrics
    for other in ("gan_mixture", "vae"):
        assert not advice.following(prepare(recipes.tiny(other, tmp_path)))


def test_a_short_run_has_trained_and_the_same_again_has_nothing_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    args = ("train", *TINY, "--config.steps=2", f"--workdir={tmp_path / 'run'}")
    assert main(*args) == 0
    out = capfd.readouterr().out
    assert "nothing was left" not in out and "total (s)" in out
    assert main(*args) == 0
    assert "nothing was left to do" in capfd.readouterr().out
