"""`features`: layers of a run in files that other programs read, with labels."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from sklearn.linear_model import LogisticRegression

import genjax
from genjax.data.in_memory import Resident
from genjax.data.source import rows
from genjax.evaluation import features
from tests.cli.helpers import TINY, TINY_BERT, main
from tests.data.test_record import pictures

FILES = ("f.npz", "f.safetensors", "f.parquet")


def read(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays by name, and the names of the classes."""
    if path.suffix == ".npz":
        found = dict(np.load(path))
        return found, list(found.pop("label_names", []))
    if path.suffix == ".safetensors":
        with safe_open(path, "np") as file:
            names = json.loads(file.metadata()["label_names"])
            return {name: file.get_tensor(name) for name in file.keys()}, names  # noqa: SIM118
    table = pytest.importorskip("pyarrow.parquet").read_table(path)
    names = json.loads(table.schema.metadata[b"label_names"])
    return {n: np.array(table[n].to_pylist()) for n in table.column_names}, names


@pytest.mark.parametrize("name", FILES)
def test_scikit_learn_learns_from_the_file(name: str, trained: Path, tmp_path: Path) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    out = {split: tmp_path / f"{split}_{name}" for split in ("train", "test")}
    for split, path in out.items():
        args = ["--layers=encoder.code,encoder.0", f"--split={split}", "--batch_size=100"]
        assert main("features", f"--workdir={trained}", f"--out={path}", *args) == 0
    (train, names), (test, _) = read(out["train"]), read(out["test"])
    assert set(train) == {"encoder.code", "encoder.0", "label"}
    assert names == [str(i) for i in range(10)]
    model = genjax.load(trained)
    batch = next(rows(model.run.dataset.test, 1000))
    assert np.array_equal(test["label"], batch["label"])
    expected = model.features(batch["x"])
    for layer in ("encoder.0", "encoder.code"):
        np.testing.assert_allclose(test[layer], expected[layer], rtol=1e-4, atol=1e-5)
    probe = LogisticRegression(max_iter=300).fit(train["encoder.0"], train["label"])
    assert probe.score(test["encoder.0"], test["label"]) > 0.3
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".parts")] == []


def test_it_goes_on_where_it_was_stopped(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_PART", 64)
    args = [f"--workdir={trained}", "--batch_size=32"]
    assert main("features", *args, f"--out={tmp_path / 'whole.npz'}") == 0
    compute, calls = features.Program.__call__, []

    def some(self, batch):
        calls.append(len(batch["x"]))
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        return compute(self, batch)

    monkeypatch.setattr(features.Program, "__call__", some)
    out = tmp_path / "parted.npz"
    assert main("features", *args, f"--out={out}") == 2 and not out.exists()
    assert main("features", *args, f"--out={out}") == 0
    assert len(calls) == 4 + 6 - 2  # batches of 180 examples; the first part has two of them
    whole, parted = read(tmp_path / "whole.npz")[0], read(out)[0]
    assert whole.keys() == parted.keys()
    assert all(np.array_equal(whole[name], parted[name]) for name in whole)


def test_texts_with_labels_are_means_over_their_tokens(reader: Path, tmp_path: Path) -> None:
    lines = ["a lazy dog .\tdog", "the brown fox ;\tfox", "the quick brown fox jumps\tfox"]
    (tmp_path / "train.tsv").write_text("\n".join(lines * 5))
    (tmp_path / "test.tsv").write_text("\n".join(lines))
    out = tmp_path / "f.npz"
    data = [f"--data=tsv:{tmp_path / 'train.tsv'}", f"--data_test={tmp_path / 'test.tsv'}"]
    data.append(f"--out={out}")
    assert main("features", f"--workdir={reader}", *data, "--split=train") == 0
    found, names = read(out)
    assert names == ["dog", "fox"] and found["label"][:3].tolist() == [0, 1, 1]
    model = genjax.load(reader)
    texts = [line.split("\t")[0] for line in lines]
    real = model.tokens(texts) != 0
    for name, h in model.features(texts).items():
        mean = np.stack([row[mask].mean(0) for row, mask in zip(h, real)])
        np.testing.assert_allclose(found[name][:3], mean, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_tagged_words_have_a_row_each(tmp_path: Path) -> None:
    lines = "Anna B-PER\nsaw O\nRome B-LOC\n\nshe O\nslept O\n\n" * 40
    for split in ("train", "test"):
        (tmp_path / f"{split}.conll").write_text(lines)
    small = [a for a in TINY_BERT if "steps" in a or "batch_size" in a or "every" in a]
    args = ["--config=tagger", f"--workdir={tmp_path / 'run'}", "--config.model.hidden=8"]
    data = [f"--config.data.name=conll:{tmp_path / 'train.conll'}", "--config.data.length=8"]
    data.append(f"--config.data.test={tmp_path / 'test.conll'}")
    assert main("train", *args, *small, *data) == 0
    out = tmp_path / "f.npz"
    assert main("features", f"--workdir={tmp_path / 'run'}", f"--out={out}", "--split=train") == 0
    found, names = read(out)
    first = [names[i] for i in found["label"][:5]]
    assert first == ["B-PER", "O", "B-LOC", "O", "O"]
    assert found["example"][:5].tolist() == [0, 0, 0, 1, 1]
    assert len(found["scorer.0"]) == len(found["example"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--out=f.csv"], "--out=f.csv: must end in .npz"),
        (["--out=f.npz", "--layers=critic.0"], "--layers=critic.0: no such layer; there are enc"),
        (["--out=f.npz", "--pool=mean"], "--pool=mean: is of texts"),
        (["--out=f.npz", "--data=stacked_digits"], "its shape is"),
    ],
)
def test_mistakes_are_told_in_a_line(
    args: list[str], message: str, trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    assert main("features", f"--workdir={trained}", *args) == 2
    assert message in capfd.readouterr().err
    assert not list(tmp_path.glob("f.*"))


def test_one_file_is_written_whole_and_a_label_that_training_has_not_is_told(
    reader: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    lines = ["a lazy dog .\tdog", "the brown fox ;\tfox"] * 10
    path, out = tmp_path / "all.tsv", tmp_path / "f.npz"
    path.write_text("\n".join(lines))
    ask = ("features", f"--workdir={reader}", f"--data=tsv:{path}", f"--out={out}")
    assert main(*ask) == 0
    assert read(out)[0]["label"].tolist() == [0, 1] * 10
    (tmp_path / "test.tsv").write_text("\n".join([*lines, "a cat\tcat"]))
    capfd.readouterr()
    assert main(*ask, f"--data_test={tmp_path / 'test.tsv'}") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "test.tsv: line 21: 'cat' is no label of the training split, which has dog, fox" in line


def test_how_the_run_s_pictures_are_read_is_not_asked_of_an_array(tmp_path: Path) -> None:
    folder, run = pictures(tmp_path / "D", a=60, b=200), tmp_path / "run"
    data = [f"--config.data.name=images:{folder}", f"--config.data.cache_dir={tmp_path / 'cache'}"]
    data += ["--config.data.max_value=255", "--config.data.split_by=([0-9]+)"]
    assert main("train", *TINY, *data, "--config.steps=2", f"--workdir={run}") == 0
    x, out = tmp_path / "x.npz", tmp_path / "f.npz"
    shape = genjax.load(run).run.dataset.spec.shape
    label = np.arange(20, dtype=np.int32) % 2
    np.savez(x, x=np.zeros((20, *shape), np.uint8), label=label)
    assert main("features", f"--workdir={run}", f"--data=npz:{x}", f"--out={out}") == 0
    assert "encoder.code" in read(out)[0]


def test_labels_among_the_runs_own_have_its_numbers() -> None:
    names, number = features.numbered(("c", "a"), ("a", "b", "c"))
    assert names == ("a", "b", "c") and number.tolist() == [2, 0]
    assert features.numbered(("d",), ("a", "b"))[0] == ("d",)
    source = Resident({"x": np.zeros((2, 2), np.uint8), "label": np.array([1, 0], np.int32)})
    (batch,) = features.of_split(source, number)(2)
    assert batch["label"].tolist() == [0, 2]
