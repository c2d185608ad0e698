"""The studies as their users run them, tiny: tables, pictures, resuming, mistakes."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

from genjax.engine.writers import read_metrics
from tests.experiments.results import read_results

TINY = ("--seeds=2", "--steps=4")


def main(name: str, *args) -> int:
    """The exit status of `python -m experiments.NAME ARGS`, run in this process."""
    return import_module(f"experiments.{name}").main([str(a) for a in args])


def lines(workdir: Path) -> dict[str, list[str]]:
    """What the first column of each table holds."""
    return {t: [row["method"] for row in rows] for t, rows in read_results(workdir).items()}


@pytest.fixture(scope="module")
def collapse(tmp_path_factory) -> Path:
    workdir = tmp_path_factory.mktemp("mode_collapse") / "study"
    args = ("--methods=pacgan2", "--data=ring", f"--workdir={workdir}")
    assert main("mode_collapse", *TINY, *args) == 0
    return workdir


def check_collapse(workdir: Path, name: str, modes: int) -> None:
    """The table and pictures of one data set, of methods that have learnt nothing yet."""
    trained, true = read_results(workdir)[name][:2]
    for row in (trained, true):
        assert all(len(row[score]["members"]) == 2 for score in ("modes", "reverse_kl"))
        assert 0 <= row["modes"]["mean"] <= modes and 0 <= row["high_quality"]["mean"] <= 1
    assert true["modes"]["mean"] == modes and true["high_quality"]["mean"] > 0.9
    assert trained["reverse_kl"]["mean"] > 5 * true["reverse_kl"]["mean"]
    for picture in ("samples", "over_time"):
        assert min(Image.open(workdir / f"{name}_{picture}.png").size) > 100


@pytest.mark.slow
def test_mode_collapse_ends_in_tables_and_pictures(collapse):
    assert lines(collapse) == {"ring": ["pacgan2", "true samples", "PacGAN2, published"]}
    check_collapse(collapse, "ring", 8)
    text = (collapse / "results.md").read_text()
    assert "| pacgan2 |" in text and " ± " in text


@pytest.mark.slow
def test_stacked_digits_are_counted_by_the_classifier(tmp_path):
    args = ("--methods=gan", "--data=stacked_digits", f"--workdir={tmp_path}")
    assert main("mode_collapse", *TINY, *args) == 0
    check_collapse(tmp_path, "stacked_digits", 1000)


def test_each_method_is_a_run_of_its_own(collapse):
    config = json.loads((collapse / "ring" / "pacgan2" / "config.json").read_text())["config"]
    assert (config["num_seeds"], config["steps"], config["model"]["pack"]) == (2, 4, 2)


@pytest.mark.slow
def test_what_is_through_is_not_trained_again_and_what_is_missing_is(collapse, capfd):
    before = {p: read_metrics(p) for p in collapse.rglob("metrics.jsonl")}
    args = ("--methods=pacgan2,gan", "--data=ring", f"--workdir={collapse}")
    assert main("mode_collapse", *TINY, *args) == 0
    assert "run 2 of 2: ring/gan" in capfd.readouterr().out
    assert {p: read_metrics(p) for p in before} == before
    assert lines(collapse)["ring"][:2] == ["pacgan2", "gan"]


@pytest.fixture(scope="module")
def oscillation(tmp_path_factory) -> Path:
    workdir = tmp_path_factory.mktemp("oscillation") / "study"
    args = ("--methods=label_smoothing", f"--workdir={workdir}", "--seeds=2", "--steps=80")
    assert main("oscillation", *args) == 0
    return workdir


@pytest.mark.slow
def test_oscillation_ends_in_tables_and_pictures(oscillation):
    exact, networks, telling = read_results(oscillation).values()
    by_method = {row["method"]: row for row in exact}
    assert by_method["minimax"]["eigenvalues"] == "0+0.5i, 0-0.5i"
    assert float(by_method["minimax"]["in turn"]) == 1 < float(by_method["minimax"]["at once"])
    assert by_method["r1"]["distance at the end"]["mean"] < 1e-3
    assert by_method["wgan"]["distance at the end"]["mean"] > 0.5
    (row,) = networks
    assert row["method"] == "label_smoothing" and row["generator_loss varies by"]["mean"] > 0
    (row,) = telling
    for name in ("critic_loss, reverse_kl", "generator_loss, reverse_kl"):
        assert -1 <= row[name]["mean"] <= 1
    for picture in ("dirac", "losses", "quality"):
        assert min(Image.open(oscillation / f"{picture}.png").size) > 100


@pytest.mark.slow
def test_continual_learning_ends_in_tables_and_pictures(tmp_path, capfd):
    args = ("--methods=none,er", "--scenarios=class", "--data=digits", f"--workdir={tmp_path}")
    assert main("continual", "--seeds=2", "--steps=100", *args) == 0
    (rows,) = read_results(tmp_path).values()
    none, er = rows
    assert len(none["accuracy %"]["members"]) == 2 and none["MNIST, published"] == 19.9
    assert none["forgetting"]["mean"] > er["forgetting"]["mean"]
    assert none["accuracy %"]["mean"] < er["accuracy %"]["mean"] <= 100
    for picture in ("matrix_class", "first_task"):
        assert min(Image.open(tmp_path / f"{picture}.png").size) > 100


@pytest.mark.slow
def test_joint_training_chooses_rates_on_held_out_examples_and_resumes(tmp_path, capfd):
    methods = "--methods=single,equal,pcgrad"
    args = ("--data=digits", "--labels=100", methods, "--rates=1e-6,1e-2", f"--workdir={tmp_path}")
    assert main("joint_training", "--seeds=2", "--steps=60", *args) == 0
    before = read_results(tmp_path)
    ((single, equal, pcgrad),) = before.values()
    assert [single["method"], equal["method"], pcgrad["method"]] == ["single", "equal", "pcgrad"]
    assert equal["rate"] == pcgrad["rate"] == "0.01"
    assert len(equal["class %"]["members"]) == 2 and equal["class %"]["mean"] > 30
    configs = {
        name: json.loads((tmp_path / name / "config.json").read_text())["config"]
        for name in ("tuning/equal/0.01", "equal", "single/rotation")
    }
    fractions = {name: c["data"]["validation_fraction"] for name, c in configs.items()}
    assert fractions == {"tuning/equal/0.01": 0.1, "equal": 0.0, "single/rotation": 0.0}
    assert configs["equal"]["data"]["sizes"] == [100, 0, 0]
    assert configs["single/rotation"]["steps"] == 20
    assert configs["single/rotation"]["data"]["sizes"] == [0]
    assert main("joint_training", "--seeds=2", "--steps=60", *args) == 0
    assert read_results(tmp_path) == before


@pytest.mark.parametrize(
    "args, message",
    [
        ("mode_collapse --methods=wgan_pg", "--methods=wgan_pg | did you mean wgan_gp?"),
        ("mode_collapse --methods=", "--methods | must name"),
        ("mode_collapse --data=rings", "--data=rings | did you mean ring?"),
        ("mode_collapse --seeds=0", "--seeds=0 | positive"),
        ("mode_collapse --protocol=pacgan", "--protocol=pacgan | --data=ring,grid"),
        ("mode_collapse --config=configs/gan.py", "--config | no such flag"),
        ("oscillation --data=grid", "--data=grid | ring | digits"),
        ("continual --methods=ews", "--methods=ews | did you mean ewc?"),
        ("continual --scenarios=", "--scenarios | must name"),
        ("continual --data=digits --steps=12", "--steps=12: must be a multiple of the 5 tasks"),
        ("joint_training --data=texts", "--texts=: must be a folder with sst2, wnut17"),
        ("joint_training --data=overlays --labels=5", "--labels=5: must be 0 with --data=overlays"),
        ("joint_training --data=digits --rates=1e-3,x", "--rates=1e-3,x: must be different"),
        ("wasserstein --moved=circles", "--moved=circles: unknown"),
        ("wasserstein --dimensions=2,0", "--dimensions=2,0: must be whole numbers of at least 1"),
        ("wasserstein --steps=30", "--steps=30: must be a multiple of 20"),
        ("weight_clipping --clips=0,0.1", "--clips=0,0.1"),
        ("weight_clipping --clips=none", "--clips=none"),
        ("weight_clipping --clips=", "--clips="),
        ("weight_clipping --clips=inf", "--clips=inf"),
    ],
)
def test_mistakes_are_told_in_one_line_before_anything_is_written(args, message, tmp_path, capfd):
    name, *flags = args.split()
    assert main(name, *flags, f"--workdir={tmp_path / 'new'}") == 2
    (line,) = capfd.readouterr().err.splitlines()
    for part in message.split(" | "):
        assert re.search(re.escape(part), line), (part, line)
    assert not (tmp_path / "new").exists()


def test_a_folder_of_other_runs_is_refused_before_any_training(collapse, capfd):
    args = ("--methods=r3gan,pacgan2", "--data=ring", f"--workdir={collapse}")
    assert main("mode_collapse", "--seeds=3", "--steps=4", *args) == 2
    assert "config.num_seeds is 2 there, 3 here" in capfd.readouterr().err
    assert not (collapse / "ring" / "r3gan").exists()


def test_the_published_protocol_is_one_flag(tmp_path):
    from experiments.mode_collapse import published_protocol
    from genjax import recipes
    from genjax.engine.run import prepare

    config = published_protocol(recipes.load("gan_mixture:pacgan2,grid")).unlock()
    assert config.batch_size * config.steps == 400 * 100_000
    config.num_seeds = 1
    run = prepare(config.lock())
    assert run.total_steps == 400_000 and run.family.batch_shape == (1, 100)
