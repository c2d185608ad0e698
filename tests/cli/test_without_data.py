"""A trained run is used where its data are gone: the folder, the file, the TFDS directory."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genjax
from tests.cli.helpers import ROOT, TINY, TINY_TEXT, main
from tests.data.test_record import pictures, write

TINY_VAE = (
    f"--config={ROOT}/configs/conditional_vae.py", "--config.epochs=0", "--config.batch_size=8",
    "--config.model.encoder_hidden=(8,)", "--config.model.decoder_hidden=(8,)",
    "--config.model.latent_dim=2", "--config.num_samples=4",
    "--config.steps=2", "--config.eval_every=0", "--config.sample_every=0",
)  # fmt: skip


@pytest.fixture
def train(tmp_path: Path) -> Any:
    def train(*args: str, name: str = "run") -> Path:
        cache = f"--config.data.cache_dir={tmp_path / 'cache'}"
        assert main("train", *args, cache, f"--workdir={tmp_path / name}") == 0
        return tmp_path / name

    return train


@pytest.fixture
def take_away(tmp_path: Path) -> Any:
    """Renames the data and removes what is decoded of them."""

    def take_away(path: Path) -> None:
        path.rename(path.with_name(f"{path.name} is elsewhere"))
        shutil.rmtree(tmp_path / "cache")

    return take_away


def one_error(capfd: pytest.CaptureFixture) -> str:
    lines = [x for x in capfd.readouterr().err.splitlines() if x.startswith("genjax: ")]
    assert len(lines[-1]) < 400 and "Traceback" not in "".join(lines)
    return lines[-1]


@pytest.mark.slow
def test_a_model_of_a_folder_of_pictures(
    tmp_path: Path, train: Any, take_away: Any, capfd: pytest.CaptureFixture
) -> None:
    folder = pictures(tmp_path / "D", b=60, c=200)
    run = train(*TINY_VAE, f"--config.data.name=images:{folder}")
    x, label = np.zeros((3, 6, 6, 1), np.float32), np.zeros(3, np.int32)

    def uses() -> list[np.ndarray]:
        model = genjax.load(run)
        assert model.run.dataset.labels == ("b", "c")
        z = np.asarray(model.encode(x, label))
        return [
            model.sample(4),
            z,
            *map(np.asarray, (model.decode(z, label), model.reconstruct(x, label))),
        ]

    before = uses()
    assert main("latent", f"--workdir={run}", f"--out={tmp_path / 'whole'}") == 0
    take_away(folder)
    for a, b in zip(before, uses(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert main("sample", f"--workdir={run}", "--n=4") == 0
    capfd.readouterr()
    assert main("latent", f"--workdir={run}", f"--out={tmp_path / 'part'}") == 0
    assert "no such folder" in (message := one_error(capfd)) and "no reconstructions" in message
    whole, part = ({p.stem for p in (tmp_path / d).glob("*.png")} for d in ("whole", "part"))
    assert "samples" in part and "reconstructions" in whole - part
    for command in ("evaluate", "latent --attributes=b"):
        program, *more = command.split()
        assert main(program, *more, f"--workdir={run}") == 2
        assert "needs the data that the run was trained on" in one_error(capfd)


def test_a_code_without_a_prior_shows_nothing_without_data(
    tmp_path: Path, train: Any, take_away: Any, capfd: pytest.CaptureFixture
) -> None:
    folder = pictures(tmp_path / "D", b=60, c=200)
    run = train(*TINY, "--config.steps=2", f"--config.data.name=images:{folder}")
    take_away(folder)
    assert main("latent", f"--workdir={run}") == 2
    assert "needs the data" in one_error(capfd)
    assert not (run / "latent").exists()


@pytest.mark.slow
def test_a_writer_of_a_text_file(
    tmp_path: Path, train: Any, take_away: Any, capfd: pytest.CaptureFixture
) -> None:
    text = write(tmp_path / "text", *["the quick brown fox jumps over the lazy dog"] * 30)
    run = train(*TINY_TEXT, f"--config.data.name=text:{text}")

    def uses() -> list[str]:
        model = genjax.load(run)
        return [*model.generate(["the "], max_tokens=9), *model.strings(model.sample(2))]

    before = uses()
    take_away(text)
    assert uses() == before
    assert main("sample", f"--workdir={run}", "--prompt=the ", "--max_tokens=5") == 0
    assert main("evaluate", f"--workdir={run}") == 2
    assert "no such file" in one_error(capfd)


@pytest.mark.slow
def test_a_classifier_of_a_file(tmp_path: Path, train: Any, take_away: Any) -> None:
    lines = [f"{w} {w} and more\t{c}" for w, c in (("good", "up"), ("bad", "down"))] * 20
    file = write(tmp_path / "tsv", *lines)
    run = train(
        f"--config={ROOT}/configs/text_classifier.py",
        f"--config.data.name=tsv:{file}",
        "--config.steps=2",
        "--config.epochs=0",
        "--config.batch_size=8",
        "--config.eval_every=0",
        "--config.data.length=6",
        "--config.model.network=bag",
        "--config.model.embed_dim=8",
    )
    before = np.asarray(genjax.load(run).classify(["good and more"]))
    take_away(file)
    model = genjax.load(run)
    assert model.run.dataset.labels == ("down", "up")
    np.testing.assert_array_equal(model.classify(["good and more"]), before)


@pytest.mark.slow
def test_a_model_of_a_tfds_directory(
    tmp_path: Path, train: Any, take_away: Any, shared_data: Path, capfd: pytest.CaptureFixture
) -> None:
    source, name = shared_data / "tfds" / "fashion_mnist" / "3.0.1", "fashion_mnist"
    folder = tmp_path / "tfds" / name / "3.0.1"
    folder.mkdir(parents=True)
    shutil.copy(source / "features.json", folder)
    shutil.copy(source / "label.labels.txt", folder)
    info = json.loads((source / "dataset_info.json").read_text())
    info["splits"] = [s | {"name": "train"} for s in info["splits"] if s["name"] == "test"]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    records = "fashion_mnist-{}.array_record-00000-of-00001"
    shutil.copy(source / records.format("test"), folder / records.format("train"))
    tfds = ("--config.data.name=tfds:fashion_mnist", f"--config.data.dir={tmp_path / 'tfds'}")
    run = train(*TINY, "--config.steps=2", "--config.model.decoder_hidden=(8,)", *tfds)
    x = np.zeros((3, 28, 28, 1), np.float32)
    before = np.asarray(genjax.load(run).reconstruct(x))
    take_away(tmp_path / "tfds")
    model = genjax.load(run)
    assert model.run.dataset.labels[0] == "T-shirt/top"
    np.testing.assert_array_equal(model.reconstruct(x), before)
    assert main("evaluate", f"--workdir={run}") == 2
    assert "no such folder" in one_error(capfd)


def test_a_run_from_before_there_were_records_needs_its_data_and_gets_a_record(
    tmp_path: Path, train: Any, capfd: pytest.CaptureFixture
) -> None:
    folder = pictures(tmp_path / "D", b=60, c=200)
    args = (*TINY, f"--config.data.name=images:{folder}")
    run = train(*args, "--config.steps=2")
    file = run / "config.json"
    old = json.loads(file.read_text())
    del old["data"]
    file.write_text(json.dumps(old))
    folder.rename(tmp_path / "E")
    assert main("sample", f"--workdir={run}") == 2
    assert "no such folder" in one_error(capfd)
    (tmp_path / "E").rename(folder)
    assert main("sample", f"--workdir={run}", "--n=4") == 0
    train(*args, "--config.steps=4")
    assert json.loads(file.read_text())["data"]["classes"] == ["b", "c"]
