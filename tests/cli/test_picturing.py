"""Pictures of a trained run: classes that are asked for, and what lies between samples."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image, ImageSequence

import genjax
from genjax.core.config import ConfigError
from genjax.data.source import rows
from genjax.engine.run import prepare
from genjax.evaluation.image import sheets
from genjax.evaluation.image.sheets import judge
from genjax.evaluation.latent import interpolation
from genjax.plots.grid import image_grid
from genjax.trained.model import Model
from tests.cli.helpers import ROOT, main, out_of
from tests.contracts import recipes

NAMES = ("7", "bag", "Trouser")  # in the order of sub-folders


@pytest.fixture(scope="module")
def conditional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conditional VAE of three classes, whose names are no numbers, but for one."""
    folder = tmp_path_factory.mktemp("conditional")
    values = np.random.RandomState(0)
    for shade, name in enumerate(NAMES):
        (folder / "set" / name).mkdir(parents=True)
        for i in range(20):
            x = np.clip(values.normal(60 + 70 * shade, 20, (8, 8)), 0, 255).astype(np.uint8)
            Image.fromarray(x).save(folder / "set" / name / f"{i:02}.png")
    args = (
        f"--config={ROOT}/configs/conditional_vae.py",
        f"--config.data.name=images:{folder / 'set'}",
        "--config.data.image_size=8",
        "--config.epochs=0",
        "--config.steps=60",
        "--config.batch_size=16",
        "--config.model.encoder_hidden=(16,)",
        "--config.model.decoder_hidden=(16,)",
        "--config.model.latent_dim=2",
        "--config.loss.eval_samples=1",
        "--config.optimizer.learning_rate=0.01",
        f"--config.data.cache_dir={folder / 'cache'}",
        f"--workdir={folder / 'run'}",
    )
    assert main("train", *args) == 0
    return folder / "run"


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)


def test_classes_are_drawn_by_name_and_by_number(conditional, tmp_path, capfd):
    at, names = f"--workdir={conditional}", genjax.load(conditional).run.dataset.labels
    assert sorted(names) == sorted(NAMES)
    trouser = names.index("Trouser")
    by_name, by_number = tmp_path / "name.npz", tmp_path / "number.npz"
    out_of(capfd, "sample", at, "--label=Trouser", "--n=5", f"--out={by_name}")
    out_of(capfd, "sample", at, f"--labels={trouser}", "--n=5", f"--out={by_number}")
    a, b = arrays(by_name), arrays(by_number)
    np.testing.assert_array_equal(a["x"], b["x"])
    assert a["label"].tolist() == [trouser] * 5
    out_of(capfd, "sample", at, "--label=7", "--label=bag", "--n=2", f"--out={by_name}")
    seven, bag = names.index("7"), names.index("bag")  # a name goes before a number
    assert arrays(by_name)["label"].tolist() == [seven, seven, bag, bag]


def test_a_sheet_has_a_row_for_each_class(conditional, tmp_path, capfd):
    sheet, wide = tmp_path / "sheet.png", tmp_path / "wide.png"
    out_of(capfd, "sample", f"--workdir={conditional}", "--labels=all", f"--out={sheet}")
    out_of(capfd, "sample", f"--workdir={conditional}", "--labels=all", "--n=9", f"--out={wide}")
    (width, height), (wider, same) = Image.open(sheet).size, Image.open(wide).size
    assert height == same and 3 * 64 < height < 4 * 64  # three rows and a title
    assert wider - width == 64 + 2  # a column more of 8 pixels by 8, and a separator
    printed = out_of(capfd, "sample", f"--workdir={conditional}", "--labels=all")
    assert Path(printed.strip()).name == "step_0000060_seed_0_by_class.png"


def test_samples_of_a_class_look_like_it_from_python_too(conditional):
    model = genjax.load(conditional)
    order = [model.run.dataset.labels.index(name) for name in NAMES]
    found = model.sample(30, seed=1, labels=[NAMES[0], *order[1:]])
    shades = [found[i::3].mean() for i in range(3)]
    assert shades == sorted(shades) and shades[2] - shades[0] > 0.2
    np.testing.assert_array_equal(
        model.sample(6, seed=1, labels=order[0]), model.sample(6, seed=1, labels=NAMES[0])
    )
    for every in ("all", range(3)):
        np.testing.assert_array_equal(model.sample(7, 2, labels=every), model.sample(7, 2))
    label = np.array(order * 2)
    np.testing.assert_array_equal(model.sample(6, 3, labels=label), model.sample_at(label, 3))


WRONG = {
    "hat": r"labels: no class 'hat'; must be one of '7' \(",
    3: "labels: no class 3; must be one of",
    -1: "labels: no class -1",
    True: "labels: no class True",
    "": "labels: no class ''",
    2.5: "labels: must be a class by number or name, a list of them, or all, not 2.5",
    (): "labels: must be a class",
    (0, 1, 2, 0, 1): "labels: has 5 classes; must be at most n=4",
}


@pytest.mark.parametrize("labels", WRONG)
def test_an_unknown_class_is_told_with_those_that_there_are(conditional, labels):
    with pytest.raises(ConfigError, match=WRONG[labels]):
        genjax.load(conditional).sample(4, labels=labels)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--label=hat", "--label=hat: no class 'hat'; must be one of '7' (0), "),
        ("--labels=0,9", "--labels=0,9: no class '9'; must be one of"),
        ("--labels=0 --label=1", "--labels=0: must not be given beside --label"),
    ],
)
def test_a_mistake_is_one_line(conditional, capfd, flags, message):
    assert main("sample", f"--workdir={conditional}", *flags.split()) == 2
    err = capfd.readouterr().err
    assert message in err and len(err.splitlines()) == 1


def test_models_without_classes_take_none(trained, writer, capfd):
    assert main("sample", f"--workdir={trained}", "--label=3") == 2
    assert "--label=3: autoencoder on digits is not conditional" in capfd.readouterr().err
    assert main("sample", f"--workdir={writer}", "--label=3") == 2
    assert "--label=3: is for models of pictures; this is recurrent_lm" in capfd.readouterr().err


def frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        return [np.asarray(image.convert("L")) for image in ImageSequence.Iterator(image)]


def test_an_interpolation_moves_through_its_anchors_and_back(conditional, tmp_path, capfd):
    model, at = genjax.load(conditional), f"--workdir={conditional}"
    ask = ("sample", at, "--interpolate", "--n=2", "--anchors=3", "--frames=5", "--label=bag")
    for name in ("a.gif", "b.gif", "c.webp"):
        out_of(capfd, *ask, f"--out={tmp_path / name}")
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    found, lossless = frames(tmp_path / "a.gif"), frames(tmp_path / "c.webp")
    assert len(found) == len(lossless) == 15
    assert max(np.abs(a - b.astype(float)).max() for a, b in zip(found, lossless)) <= 1
    bag = model.run.dataset.labels.index("bag")
    anchors = model.decode(model.latents(6), np.full(6, bag)).reshape(3, 2, 8, 8, 1)
    for i, pair in enumerate(anchors):
        np.testing.assert_array_equal(found[5 * i], image_grid(pair)[..., 0])


def test_rows_of_an_interpolation_keep_their_class(conditional, tmp_path):
    model = genjax.load(conditional)
    label = np.repeat(np.arange(3), 2)
    x = interpolation.rows(model, 6, 5, 1, label)
    assert x.shape == (6, 5, 8, 8, 1)
    ends = model.decode(model.latents(12, 1), np.tile(label, 2))
    np.testing.assert_allclose(x[:, 0], ends[:6], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(x[:, -1], ends[6:], rtol=1e-4, atol=1e-5)
    at, out = f"--workdir={conditional}", tmp_path / "rows.png"
    assert main("sample", at, "--interpolate", "--labels=all", "--n=1", f"--out={out}") == 0
    assert Image.open(out).size == (8 * 66 + 2, 3 * 66 + 2)


@pytest.mark.parametrize("name", ["wgan_gp", "flow_matching+mlp+conditional"])
def test_other_families_interpolate_as_well(name, tmp_path):
    run = prepare(recipes.tiny(name, tmp_path))
    model = Model(run, run.family.init(jax.random.key(0)), 0, 0)
    x = interpolation.rounds(model, 3, 2, 3, 0)
    assert x.shape == (6, 3, 8, 8, 1) and np.isfinite(x).all()
    labels = (np.tile(np.arange(3), 2),) if model.config.model.get("conditional") else ()
    anchors = model.decode(model.latents(6), *labels).reshape(2, 3, 8, 8, 1)
    np.testing.assert_allclose(x[::3], anchors, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--fps=10", "--fps=10.0: is for --interpolate"),
        ("--interpolate --fps=10 --out=x.png", "--fps=10.0: is for animations"),
        ("--interpolate --fps=99", "--fps=99"),
        ("--interpolate --out=x.npy", "--out=x.npy: must end in .gif, .webp, .png"),
        ("--out=x.gif", "--out=x.gif: needs --interpolate"),
        ("--interpolate", "--interpolate: autoencoder on digits: must be a family that draws pict"),
    ],
)
def test_a_mistake_of_an_interpolation_is_one_line(trained, capfd, flags, message):
    assert main("sample", f"--workdir={trained}", *flags.split()) == 2
    err = capfd.readouterr().err
    assert message in err and len(err.splitlines()) == 1


def test_samples_come_best_first(conditional, tmp_path, capfd):
    at, out = f"--workdir={conditional}", tmp_path / "x.npz"
    out_of(capfd, "sample", at, "--n=6", f"--out={out}")
    drawn = arrays(out)["x"]
    out_of(capfd, "sample", at, "--n=6", "--sort=score", f"--out={out}")
    found, by = arrays(out), judge(genjax.load(conditional))
    np.testing.assert_allclose(found["score"], np.sort(by.score(drawn))[::-1], atol=1e-6)
    assert {x.tobytes() for x in found["x"]} == {x.tobytes() for x in drawn}  # all, none picked
    out_of(capfd, "sample", at, "--labels=2,0", "--n=3", "--sort=score", f"--out={out}")
    found = arrays(out)
    assert found["label"].tolist() == [2, 2, 2, 0, 0, 0]
    assert all((np.diff(part) <= 0).all() for part in np.split(found["score"], 2))


def test_samples_stand_beside_held_out_pictures(conditional, tmp_path, capfd):
    out = tmp_path / "sheet.png"
    at = (f"--workdir={conditional}", "--beside_real", f"--out={out}")
    line, path = out_of(capfd, "sample", *at, "--n=3").splitlines()
    assert path == str(out) and "real, held out: median" in line and "samples: median" in line
    width, height = Image.open(out).size
    assert width >= 4 * 66 and height < 3 * 66  # two columns on each side
    assert main("sample", *at, "--n=999") == 2
    assert "--n=999: must be at most 3" in capfd.readouterr().err


def test_nearest_training_pictures_tell_copies(conditional, tmp_path, capfd):
    model = genjax.load(conditional)
    train = next(rows(model.run.dataset.train, 4))["x"]
    assert train.shape == (4, 8, 8, 1)
    sheet, lines = sheets.nearest(model, train, 2, seed=0)
    assert sheet.shape[1] >= 5 * 66 and len(lines) == 2
    out = tmp_path / "nearest.png"
    args = (f"--workdir={conditional}", "--nearest=2", "--n=3", f"--out={out}")
    pixels, features, path = out_of(capfd, "sample", *args).splitlines()
    assert path == str(out) and Image.open(out).size[1] > 3 * 66
    what = r"median \(lowest 1%\) distance of pixels to the nearest training picture: 3 samples \d"
    assert re.match(what, pixels)
    assert "held-out pictures" in pixels and "features" in features


def test_without_labels_the_critic_tells(tmp_path):
    images = np.random.RandomState(0).rand(80, 8, 8, 1).astype(np.float32)
    config = recipes.tiny("wgan_gp", tmp_path)
    config.data.name = "arrays"
    run = prepare(config, arrays={"x": images})
    model = Model(run, run.family.init(jax.random.key(0)), 0, 0)
    by = judge(model)
    assert "critic" in by.name and by.confident is None
    np.testing.assert_allclose(by.score(images), model.score(images))
    sheet, line = sheets.beside_real(model, model.sample(4))
    assert sheet.dtype == np.uint8 and "above" not in line
    assert len(sheets.nearest(model, model.sample(2), 1, 0)[1]) == 1  # by pixels alone
