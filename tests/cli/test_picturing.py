"""Pictures of a trained run: classes that are asked for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import genjax
from genjax.core.config import ConfigError
from tests.cli.helpers import ROOT, main, out_of

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
