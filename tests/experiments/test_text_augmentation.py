"""The study of augmentation: rows are computed once, and the page says whether anything helps."""

import json

import numpy as np
import pytest

from experiments import record, text_augmentation
from genjax.core.config import ConfigError
from genjax.engine.workdir import read_config

SENTENCES = [f"{verb} this {word} film" for verb in ("see", "skip") for word in "abcdefghijklmno"]


@pytest.fixture
def data(tmp_path):
    """A folder of 240 short sentences, and of 30 for tests."""
    lines = [f"{s}\t{int(s.startswith('see'))}\n" for s in SENTENCES]
    (tmp_path / "train.tsv").write_text("".join(8 * lines))
    (tmp_path / "test.tsv").write_text("".join(lines))
    return tmp_path


@pytest.mark.slow
def test_arms_learn_the_same_labels_and_nothing_is_computed_twice(data, monkeypatch, capfd):
    one = {arm: settings[:1] for arm, settings in text_augmentation.ARMS.items()}
    monkeypatch.setattr(text_augmentation, "ARMS", one)
    args = [
        "--labels=20", "--arms=none,denoising", "--draws=3", "--seeds=2", "--steps=2",
        "--writer_steps=1", f"--data_dir={data}", f"--record={data / 'record.json'}",
    ]  # fmt: skip
    assert text_augmentation.main([*args, f"--workdir={data / 'study'}"]) == 0
    rows = record.read(data / "record.json")
    found = [(r["method"], r["seed"], r.get("labels")) for r in rows]
    assert found == [("denoising", 3, 20), ("none", 3, 20), ("restores:denoising", 0, None)]
    assert all(len(r["scores"]["accuracy"]) == 2 for r in rows[:-1])
    runs = {p.parts[-4]: read_config(p.parent) for p in data.glob("study/*/*/3/config.json")}
    assert set(runs) == {"none", "denoising"} and runs["none"].data.labeled_seed == 3
    assert runs["none"].data == runs["denoising"].data
    page = (data / "record.md").read_text()
    assert "20 labels, `denoising`:" in page and "| denoising | " in page
    # On another machine, whose folder is empty, nothing is trained.
    assert text_augmentation.main([*args, f"--workdir={data / 'elsewhere'}"]) == 0
    assert not (data / "elsewhere").exists()
    assert record.read(data / "record.json") == rows


def test_the_page_chooses_on_held_out_labels_and_says_what_helps(tmp_path, capfd):
    """Of two settings the one of better held-out accuracy counts, though its test is worse."""
    path = tmp_path / "record.json"
    values = ["--labels=100", "--table_only", f"--record={path}", f"--workdir={tmp_path / 'new'}"]
    rows, rng = [], np.random.default_rng(0)
    none = rng.normal(60, 2, (3, 5))  # of three choices of labels
    cells = {}

    def keep(argv, doc, define):
        cells.setdefault("values", found := parse(argv, doc, define))
        return found

    parse = text_augmentation.program.parse
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_augmentation.program, "parse", keep)
        assert text_augmentation.main(values) == 0
    of = {"none": [(0, none)], "words": [(0, none - 3), (1, none + 8), (2, none + 9)]}
    held_out = {"none": [50], "words": [70, 60, 60]}
    for arm, settings in of.items():
        for (i, test), held in zip(settings, held_out[arm], strict=True):
            setting = text_augmentation.ARMS[arm][i]
            cell = text_augmentation._cell(arm, setting, 100, 0, cells["values"])
            for draw in range(3):
                noise = rng.normal(0, 0.1, 5)
                scores = {"held_out": [held] * 5, "accuracy": list(test[draw] + noise)}
                row = {"method": arm, "seed": draw, "config": cell.digest}
                rows.append(row | {"labels": 100, "setting": setting, "scores": scores})
    path.write_text(json.dumps(rows))
    assert text_augmentation.main(values) == 0
    page = (tmp_path / "record.md").read_text()
    assert "100 labels, `words`: hurts (-2.97 ±" in page and "`model.word_dropout=0.2` |" in page


def test_a_gain_within_two_standard_errors_is_none():
    gain = np.array([1.0, -1.0, 0.5])
    assert "makes no difference" in text_augmentation._verdict("all", "words", gain)
    assert "helps (+1.17" in text_augmentation._verdict("all", "words", np.array([1.0, 1.2, 1.3]))


def test_mistakes_are_told_before_anything_is_written(tmp_path, capfd):
    for flag, message in (("labels=x", "whole numbers"), ("arms=vae", "must be one of"),
                          ("record=a.md", "json")):  # fmt: skip
        assert text_augmentation.main([f"--{flag}", f"--workdir={tmp_path / 'new'}"]) == 2
        assert message in capfd.readouterr().err
    with pytest.raises(ConfigError, match="must be one of denoising, variational"):
        text_augmentation.recipes.load("autoencoder_sst2:vae")
