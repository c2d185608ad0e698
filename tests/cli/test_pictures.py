"""Folders of pictures from the command line."""

import json

import numpy as np
from PIL import Image

from tests.cli.helpers import TINY, main
from tests.data import odd_pictures as odd


def test_a_run_without_its_bad_pictures_goes_on_without_them(tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, workdir = tmp_path / "set", tmp_path / "run"
    folder.mkdir()
    for i in range(40):
        Image.fromarray(np.full((8, 8), i * 6, np.int32)).save(folder / f"{i:02}.tif")
    odd.cut_in_half(folder / "03.tif")
    (folder / "page.jpg").write_text("<html>404</html>")

    def train(steps, *args):
        files = f"--config.data.name=images:{folder}", f"--workdir={workdir}"
        return main("train", *TINY, *files, f"--config.steps={steps}", *args)

    for args, message in (
        ((), "set config.data.max_value"),
        (("--config.data.max_value=255",), "2 of 41 pictures cannot be read: 03.tif ("),
    ):
        assert train(2, *args) == 2
        out, err = capfd.readouterr()
        assert not out and len(err.splitlines()) == 1 and message in err and not workdir.exists()

    settings = "--config.data.max_value=255", "--config.data.on_bad=skip"
    for steps in (2, 4):
        caplog.clear()
        assert train(steps, *settings) == 0
        assert "2 files skipped (03.tif (" in caplog.text
        assert "other content" not in caplog.text
    assert '"skipped"' in json.dumps([json.loads(p.read_text()) for p in workdir.glob("*.json")])
