"""The study of few labels, tiny, on digits: its protocol, and that nothing is computed twice."""

import json

import jax
import numpy as np
import pytest

from experiments import encoders, few_labels, probes, record
from experiments.encoders import ENCODERS, Encoder
from genjax import data
from genjax.cli import launch
from genjax.core.family import DataSpec
from genjax.families import classifier

FEW = {
    "pixels": ENCODERS["pixels"],
    "pca": Encoder(layers=("pca.8",)),
    "autoencoder": Encoder("autoencoder", {"steps": 4}, ("encoder.0", "encoder.code")),
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(encoders, "DATA", "digits")
    monkeypatch.setattr(encoders, "ENCODERS", FEW)


def study(folder, *args, workdir="study"):
    folders = (f"--workdir={folder / workdir}", f"--record={folder / 'record.json'}")
    return few_labels.main([*folders, "--labels=20", *args])


@pytest.mark.slow  # a study, if a tiny one
def test_rows_are_recorded_and_never_computed_again(tmp_path, monkeypatch, capfd):
    args = ("--encoders=autoencoder,pixels", "--heads=linear,tuned")
    fit, calls = probes.fit, []

    def stops(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(*given)

    with monkeypatch.context() as patch:
        patch.setattr(probes, "fit", stops)
        assert study(tmp_path, "--seeds=2", *args) == 143
    path = tmp_path / "record.json"
    before = record.read(path)
    methods = ["autoencoder/linear/20", "autoencoder/tuned/20"]
    assert [(r["method"], r["seed"]) for r in before] == [(m, s) for m in methods for s in (0, 1)]
    assert study(tmp_path, "--seeds=2", *args) == 0
    rows = record.read(path)
    assert rows[:4] == before and {r["method"] for r in rows[4:]} == {"pixels/linear/20"}
    for row in rows:
        assert 0.2 < row["accuracy"] < 1 and row["chosen"]["layer"] and "jax" in row["versions"]
    page = (tmp_path / "record.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| pixels", "| autoencoder"]
    assert "RBF on pixels is not recorded yet." in page

    # On another machine, whose folder is empty, nothing is trained, and the page is the same.
    monkeypatch.setattr(launch, "train", None)
    assert study(tmp_path, "--seeds=2", *args, workdir="elsewhere") == 0
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "record.md").read_text() == page
    assert study(tmp_path, "--seeds=2", *args, "--steps=7", "--table_only") == 0
    assert "| autoencoder |" not in (tmp_path / "record.md").read_text()  # seven updates: not yet


@pytest.fixture(scope="module")
def few():
    """Labels of two seeds, on vectors of two layers of which the second says nothing."""
    rng = np.random.default_rng(0)
    label = [np.repeat(np.arange(3), 10) for _ in range(2)]

    def vectors(y):
        clear = (4 * np.eye(3)[y] + rng.normal(size=(len(y), 3))).astype(np.float32)
        return {"clear": clear, "noise": rng.normal(size=(len(y), 3)).astype(np.float32)}

    test_label = np.arange(60) % 3
    train = [vectors(y) for y in label]
    return probes.Few((0, 1), train, label, vectors(test_label), test_label)


@pytest.mark.parametrize("head", ["linear", "rbf", pytest.param("mlp", marks=pytest.mark.slow)])
def test_what_is_chosen_depends_on_labels_that_are_held_out_and_on_no_test_example(head, few):
    found = probes.fit(head, few, 3)
    assert [one.chosen["layer"] for one in found] == ["clear", "clear"]
    assert min(one.accuracy for one in found) > 0.9
    wrong = few._replace(test_label=(few.test_label + 1) % 3)
    for one, other in zip(found, probes.fit(head, wrong, 3), strict=True):
        assert (one.chosen, one.held_out) == (other.chosen, other.held_out)
        assert other.accuracy < 0.1


def test_labels_are_those_of_a_run_with_as_many_and_a_function_of_the_seed():
    dataset = data.load(encoders.config("pixels").data)
    rows = [few_labels._rows(dataset, 50, seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0] != rows[2]).any()
    y = dataset.train.arrays["label"]
    assert (np.abs(np.bincount(y[rows[0]]) - 50 * np.bincount(y) / len(y)) < 1).all()
    for recipe in ("classifier", "semi_supervised_vae"):
        c, arrays = encoders.of_labels(encoders.recipes.load(recipe), 50, 1, dataset, rows[2])
        assert arrays is None
        own = data.load(c.data).train
        own = getattr(own, "labeled", own)
        np.testing.assert_array_equal(own.arrays["x"], dataset.train.arrays["x"][rows[2]])
    c, arrays = encoders.of_labels(
        encoders.recipes.load("conditional_vae"), 50, 1, dataset, rows[2]
    )
    assert c.data.name == "arrays"
    np.testing.assert_array_equal(arrays["label"], y[rows[2]])


def test_every_encoder_has_the_layers_that_are_tried():
    spec = DataSpec("image", (28, 28, 1), 10)
    for name in [n for n, encoder in ENCODERS.items() if encoder.recipe]:
        c = classifier.picture_config().unlock()
        c.model.network = "run"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(encoders, "ENCODERS", ENCODERS)
            c.model.run = classifier.adopt(c, encoders.config(name))["model.run"]
        for layer in ENCODERS[name].layers[-1:]:
            c.model.layer = layer
            family = classifier.build(c, spec, 1)
            code = jax.eval_shape(
                lambda x, f=family: f.encoder.init_with_output(jax.random.key(0), x)[0],
                jax.ShapeDtypeStruct((2, 28, 28, 1), np.float32),
            )
            assert code.shape[0] == 2 and code.shape[1] <= 4 * 4 * 128


def test_encoders_are_compared_with_pixels_by_the_head_that_held_out_labels_prefer():
    def rows(accuracy, held_out):
        return [
            {"seed": s, "accuracy": accuracy + 0.001 * s, "held_out": held_out} for s in range(4)
        ]

    found = {
        ("pixels", "rbf"): rows(0.70, 0.7), ("vae", "rbf"): rows(0.60, 0.6),
        ("flow", "rbf"): rows(0.90, 0.5), ("flow", "tuned"): rows(0.72, 0.8),
        ("pca", "linear"): [r | {"accuracy": 0.7 + 0.01 * (-1) ** r["seed"]} for r in rows(0, 0.1)],
    }  # fmt: skip
    said = few_labels._against_pixels(found)
    assert "1 win: flow (tuned, +2.0 ± 0.0). 1 lose: vae (rbf, -10.0 ± 0.0)." in said
    assert "1 are level: pca" in said


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--labels=100,x"], "--labels=100,x: must be whole numbers of at least 10"),
        (["--labels=9999"], "--labels=9999: must be at most 1618, the training pictures"),
        (["--encoders=vea"], "--encoders=vea: unknown"),
        (["--heads=svn"], "--heads=svn: unknown; did you mean svm?"),
        (["--record=table.md"], "--record=table.md: must be the name of a .json file"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capfd, args, message):
    assert study(tmp_path, *args) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_record_is_refused(tmp_path, capfd):
    (tmp_path / "record.json").write_text(json.dumps({"rows": 1}))
    assert study(tmp_path) == 2
    assert "is no record" in capfd.readouterr().err
