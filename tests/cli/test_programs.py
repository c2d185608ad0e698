"""The programs as their users run them: real processes, real signals, real kills."""

import gzip
import itertools
import json
import re
import shlex
import signal
import socket
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from absl import flags
from PIL import Image

import genjax
from genjax import recipes
from genjax.core.random import data_key
from genjax.engine.run import prepare
from genjax.engine.writers import read_metrics
from tests.cli.helpers import (
    ROOT,
    TINY,
    assert_same_bits,
    checkpoints,
    finish,
    leaves,
    main,
    run,
    start,
    wait_until,
)
from tests.contracts import recipes as contract_recipes

# Long enough to be interrupted in the middle, short enough for a test.
LONG = (
    *TINY,
    "--config.steps=3000",
    "--config.log_every=70",  # checkpoints lie within its intervals
    "--config.checkpoint_every=500",
    "--config.model.dropout=0.2",  # so that a step's random numbers matter
)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `LONG` comes to when nothing happens to it."""
    workdir = tmp_path_factory.mktemp("uninterrupted") / "run"
    status, _, err = run("train", *LONG, f"--workdir={workdir}")
    assert status == 0, err
    return workdir


def _beginning(source: Path, target: Path, whole: bool) -> None:
    """Copies the first lines of a text, of `whole` sentences up to an empty line."""
    opened: Any = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8") as file:
        text = "".join(itertools.islice(file, 2000))
    with opened(target, "wt", encoding="utf-8") as file:
        file.write(text[: text.rfind("\n\n") + 2] if whole and "\n\n" in text else text)


@pytest.fixture
def on_real_data(config: str, tmp_path: Path, request: pytest.FixtureRequest) -> list[str]:
    """The command line of a recipe: its own data set, of text files the beginning."""
    args = [f"--config={ROOT}/configs/{config}.py"]
    recipe = recipes.load(str(ROOT / "configs" / f"{config}.py"))
    source, _, names = recipe.data.name.partition(":")
    if source in ("text", "tsv", "pairs", "conll"):
        shared = request.getfixturevalue("shared_data")
        for name in f"{names},{recipe.data.test}".strip(",").split(","):
            _beginning(next(shared.glob(f"*/{name}")), tmp_path / name, source == "conll")
        args.append(f"--config.data.dir={tmp_path}")
    if source == "tfds":
        shared = request.getfixturevalue("shared_data")
        prepared = shared / "tfds" / names
        if prepared.is_dir():
            args.append(f"--config.data.dir={prepared.parent}")
        else:  # CelebA and CIFAR-10 are not to be had
            size = recipe.data.image_size or 32
            faces = f"--config.data.name=images:{shared / 'orl_faces'}"
            args += [faces, f"--config.data.image_size={size}"]
    if recipe.data.name == "images:":
        folder = "emoji" if recipe.data.split_by else "orl_faces"
        args.append(f"--config.data.name=images:{request.getfixturevalue('shared_data') / folder}")
    if recipe.executor == "vmap":
        args.append("--config.num_seeds=2")
    for name in contract_recipes.ASKING:  # a teacher, whom nobody has trained here
        if recipe.get("teacher", {}).get(name):
            args.append(f"--config.teacher.{name}={type(recipe.teacher[name])()}")
    if "steps_per_task" in recipe.data:  # the steps of a run are those of its tasks
        args += ["--config.data.num_tasks=2", "--config.data.steps_per_task=1"]
    return [*args, "--config.steps=2"]


# Of families of text, whose recipes take long to compile, these are trained in CI.
_TEXTS = {"gpt", "seq2seq", "text_classifier", "word2vec_cbow"}
_TRAINED = contract_recipes.first() - ({*contract_recipes.TEXTS} - _TEXTS)


def _mark(config: str) -> Any:
    """A recipe of most families is trained in CI, the others by name: compiling takes minutes."""
    if config not in _TRAINED:
        return pytest.mark.long
    return () if config == "gan" else pytest.mark.slow


@pytest.mark.parametrize(
    "config", [pytest.param(name, marks=_mark(name)) for name in contract_recipes.recipes()]
)
def test_every_recipe_trains(
    on_real_data: list[str], tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    args = [*on_real_data, f"--workdir={tmp_path / 'run'}", "--config.log_every=1"]
    assert main("train", *args) == 0, capfd.readouterr().err
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [r["step"] for r in rows if any(n.startswith("train/") for n in r)] == [1, 2]
    assert checkpoints(tmp_path / "run") == [2]


@pytest.mark.parametrize("config", sorted({*contract_recipes.recipes()} - _TRAINED))
@pytest.mark.slow
def test_every_recipe_fits_its_data(on_real_data: list[str]) -> None:
    """Networks, batches and losses of full size go together: all is traced, nothing compiled.

    Of the others `test_every_recipe_trains` shows it.
    """
    recipe, *overrides = on_real_data
    config = recipes.load(recipe.removeprefix("--config="))
    config = recipes.override(config, overrides, flags.FlagValues())
    run = prepare(config)
    train, test, family = run.dataset.train, run.dataset.test, run.family

    def step(key: Any, arrays: Any, cursor: Any) -> Any:
        state = family.init(key)
        plan = train.plan(data_key(state.key), cursor, 1, family.batch_shape)
        state, metrics = family.step(state, train.fetch(arrays, jax.tree.map(lambda a: a[0], plan)))
        return metrics, family.evaluate(state, test.fetch(test.arrays, first))

    first = jax.tree.map(lambda a: a[0], test.evaluation(8))
    metrics, sums = jax.eval_shape(
        step, jax.random.key(0), train.arrays, train.cursor(0, family.batch_shape)
    )
    assert "loss" in metrics or "critic_loss" in metrics
    assert "count" in sums and all(v.dtype == np.float32 for v in metrics.values())


@pytest.mark.slow
def test_train_evaluate_sample_and_train_again(tmp_path: Path) -> None:
    """Each command that a program recommends at its end works; the first again does nothing."""
    workdir = tmp_path / "run"
    command = ("train", *TINY, f"--workdir={workdir}", "--config.steps=6", "--config.log_every=3")
    status, out, err = run(*command)
    assert status == 0, err
    assert "mse" in out and "steps/s" in out and "GEMM rate" in out
    assert [r["step"] for r in read_metrics(workdir / "metrics.jsonl")] == [3, 6, 6]
    before = {p: p.stat().st_mtime_ns for p in (workdir / "checkpoints").rglob("*")}

    advised = [shlex.split(line) for line in out.splitlines() if " -m experiments." in line]
    assert [words[2] for words in advised] == ["experiments.evaluate", "experiments.latent"]
    for words in advised:
        status, printed, err = run(words[2].removeprefix("experiments."), *words[3:])
        assert status == 0, err
    assert Path(printed.splitlines()[-1]).name == "latent.md"
    record = json.loads((workdir / "eval.json").read_text())
    assert record["step"] == 6 and record["eval"]["mse"] > 0
    assert list((workdir / "samples").glob("reconstructions_*.png"))

    status, out, err = run(*command)
    assert status == 0, err
    assert "nothing was left to do" in out and "mse" in out
    assert {p: p.stat().st_mtime_ns for p in (workdir / "checkpoints").rglob("*")} == before


@pytest.mark.slow
def test_labeled_samples_are_judged_by_a_classifier(tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    gan = f"--config={ROOT}/configs/wgan_gp.py"
    small = ["--config.model.generator_hidden=(16,)", "--config.model.critic_hidden=(16,)"]
    steps = ["--config.steps=2", "--config.num_samples=4"]
    assert main("train", gan, *small, *steps, f"--workdir={workdir}") == 0
    assert main("evaluate", f"--workdir={workdir}") == 0
    record = json.loads((workdir / "eval.json").read_text())
    assert record["classifier"]["test_accuracy"] > 0.95
    assert record["real_test"]["confident"] > 0.9 and record["real_test"]["classes"] == 10
    assert record["samples"]["confident"] < 0.5  # an untrained generator is not to pass
    assert len(record["samples"]["class_histogram"]) == 10


@pytest.mark.slow
def test_stopped_run_resumes_to_the_same_bits(uninterrupted: Path, tmp_path: Path) -> None:
    number = signal.SIGTERM  # for others see tests/engine/test_preemption.py
    workdir = tmp_path / "run"
    process = start("train", *LONG, f"--workdir={workdir}", "--config.chunk=9")
    wait_until(lambda: read_metrics(workdir / "metrics.jsonl"), process)
    process.send_signal(number)
    status, _, err = finish(process)
    assert status == 143, err
    message = re.search(rf"stopped by {number.name} at step (\d+) of 3000.*checkpoints/(\d+)", err)
    assert message is not None and message[1] == message[2]
    assert 0 < int(message[1]) < 3000 and checkpoints(workdir)[-1] == int(message[1])
    words = shlex.split(err.strip().splitlines()[-1])
    assert words[:3] == ["python", "-m", "experiments.train"]
    status, _, err = run("train", *words[3:])
    assert status == 0, err
    assert f"Resumed from step {message[1]}" in err
    assert_same_bits(workdir, uninterrupted)
    assert _rows(workdir) == _rows(uninterrupted)


@pytest.mark.slow
def test_killed_run_resumes_to_the_same_bits(uninterrupted: Path, tmp_path: Path) -> None:
    """The same command again; with other chunks see tests/contracts/test_resume.py."""
    workdir = tmp_path / "run"
    process = start("train", *LONG, f"--workdir={workdir}")
    wait_until(lambda: checkpoints(workdir), process)
    process.kill()
    assert finish(process)[0] == -signal.SIGKILL
    assert checkpoints(workdir)[-1] < 3000
    status, _, err = run("train", *LONG, f"--workdir={workdir}")
    assert status == 0, err
    assert "Resumed from step" in err
    assert_same_bits(workdir, uninterrupted)
    assert _rows(workdir) == _rows(uninterrupted)
    steps = [r["step"] for r in _rows(workdir) if "train/loss" in r]
    assert steps == [*range(70, 3000, 70), 3000]


def _rows(workdir: Path) -> list[dict[str, Any]]:
    """What `metrics.jsonl` says, but for the time that it took."""
    found = read_metrics(workdir / "metrics.jsonl")
    return [{n: v for n, v in row.items() if n != "wall_seconds"} for row in found]


def test_interrupt_before_the_first_step_leaves_nothing(tmp_path: Path) -> None:
    process = start("train", *TINY, f"--workdir={tmp_path / 'run'}", "--config.steps=4")
    process.send_signal(signal.SIGTERM)  # Python itself may not be up yet
    status, _, err = finish(process)
    assert status in (143, -signal.SIGTERM)
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("train", "stopped; the same command goes on from the newest checkpoint, if there is one"),
        ("features", "stopped; the same command goes on behind the examples that are done"),
        ("evaluate", "stopped before its end"),
    ],
)
def test_what_is_stopped_says_whether_it_goes_on(
    program: str, said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for parse in ("parse", "parse_with_config"):
        monkeypatch.setattr(f"genjax.cli.program.{parse}", stop)
    assert main(program) == 143
    assert capfd.readouterr().err == f"genjax: {said}\n"


@pytest.mark.slow
def test_profile_opens_in_perfetto(tmp_path: Path) -> None:
    args = [*TINY, "--config.steps=20", "--config.chunk=2", "--profile_steps=4:8"]
    status, _, err = run("train", *args, f"--workdir={tmp_path / 'run'}")
    assert status == 0, err
    assert list((tmp_path / "run" / "profile").rglob("perfetto_trace.json.gz"))


@pytest.mark.slow
def test_modes_of_a_mixture_are_counted(tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    args = [f"--config={ROOT}/configs/wgan_gp.py", "--config.data.name=ring", "--config.steps=2"]
    args += ["--config.model.generator_hidden=(8,)", "--config.model.critic_hidden=(8,)"]
    assert main("train", *args, f"--workdir={workdir}") == 0
    assert 0 <= read_metrics(workdir / "metrics.jsonl")[-1]["eval/modes"] <= 8
    assert main("evaluate", f"--workdir={workdir}") == 0
    assert json.loads((workdir / "eval.json").read_text())["samples"]["count"] == 2500
    assert main("sample", f"--workdir={workdir}", "--n=10", f"--out={tmp_path / 'x.png'}") == 0
    assert Image.open(tmp_path / "x.png").size == (600, 600)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_samples_as_arrays_repeat_with_their_seed(
    suffix: str, trained: Path, tmp_path: Path
) -> None:
    drawn = []
    for seed in (0, 0, 1):
        out = tmp_path / "deep" / f"x{suffix}"
        assert (
            main("sample", f"--workdir={trained}", "--n=5", f"--seed={seed}", f"--out={out}") == 0
        )
        drawn.append(np.load(out) if suffix == ".npy" else np.load(out)["x"])
    assert drawn[0].shape == (5, 8, 8, 1) and drawn[0].dtype == np.float32
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).any()
    assert [p.name for p in out.parent.iterdir()] == [out.name]


def test_loaded_model_encodes_and_decodes_in_two_lines(trained: Path) -> None:
    images = np.random.RandomState(0).rand(5, 8, 8, 1).astype(np.float32)
    model = genjax.load(trained)
    codes = model.encode(images)
    assert codes.shape == (5, 2) and model.decode(codes).shape == images.shape
    assert model.step == 4 and model.config.steps == 4
    np.testing.assert_array_equal(model.sample(3), model.sample(3))
    expected = model.family.reconstruct(model.state, images)
    np.testing.assert_allclose(model.reconstruct(images), expected, rtol=1e-5)
    with pytest.raises(AttributeError, match="sample, encode, decode, reconstruct"):
        model.encod(images)


def test_help_lists_flags_and_fields() -> None:
    status, out, _ = run("train", "--help", "--config=autoencoder")
    assert status == 0
    assert "python -m experiments.train --config=NAME" in out and "--profile_steps" in out
    assert "  model.latent_dim = 16\n      numbers of a code; at least 1\n" in out
    assert "  batch_size = 64\n      global, over all devices and processes; at least 1\n" in out


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    """Two processes of 4 devices, joined by flags, and one process of 8."""
    args = [*TINY, "--config.steps=6", "--config.executor=sharded", "--config.log_every=2"]
    one, two = tmp_path / "one", tmp_path / "two"
    status, _, err = run("train", *args, f"--workdir={one}", env={"JAX_NUM_CPU_DEVICES": "8"})
    assert status == 0, err
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{s.getsockname()[1]}"
    joined = [f"--coordinator_address={address}", "--num_processes=2", f"--workdir={two}"]
    processes = [
        start("train", *args, *joined, f"--process_id={i}", env={"JAX_NUM_CPU_DEVICES": "4"})
        for i in range(2)
    ]
    ends = [finish(p) for p in processes]
    assert [status for status, _, _ in ends] == [0, 0], ends
    assert "Look further" in ends[0][1] and "Look further" not in ends[1][1]
    first, second = leaves(one), leaves(two)
    for name, x in first.items():
        np.testing.assert_allclose(x, second[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert jax.tree.structure(first) == jax.tree.structure(second)


def test_a_run_of_before_a_field_was_there_is_evaluated_as_it_was(tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    assert main("train", *TINY, "--config.steps=4", f"--workdir={workdir}") == 0
    assert main("evaluate", f"--workdir={workdir}") == 0
    before = json.loads((workdir / "eval.json").read_text())
    record = json.loads((workdir / "config.json").read_text())
    for section, field in (("loss", "sparsity_weight"), ("model", "code_activation")):
        del record["config"][section][field]
    (workdir / "config.json").write_text(json.dumps(record))
    assert main("evaluate", f"--workdir={workdir}") == 0
    assert json.loads((workdir / "eval.json").read_text()) == before
