"""Animated pictures keep their frames, their pace and their bytes."""

import numpy as np
import pytest
from PIL import Image

from genjax.plots.animation import save_animation

GRAY = np.random.RandomState(0).randint(0, 256, (6, 10, 12, 1)).astype(np.uint8)
COLOR = np.random.RandomState(1).randint(0, 256, (6, 10, 12, 3)).astype(np.uint8)


def read(path):
    with Image.open(path) as image:
        frames, times = [], []
        for i in range(image.n_frames):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB")))
            times.append(image.info["duration"])
        return np.stack(frames), times, image.info.get("loop")


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("frames", [GRAY, COLOR], ids=["gray", "color"])
def test_frames_are_as_they_were_and_go_round(frames, suffix, tmp_path):
    path = tmp_path / "new" / f"x{suffix}"
    save_animation(path, frames, fps=12.5)
    found, times, loop = read(path)
    np.testing.assert_array_equal(found, np.broadcast_to(frames, found.shape))
    assert times == [80] * 6 and loop == 0
    first = path.read_bytes()
    save_animation(path, frames, fps=12.5)
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("frames", "name", "fps"),
    [
        (GRAY[0, :, :, 0], "x.gif", 10),
        (GRAY.astype(np.float32), "x.gif", 10),
        ([GRAY[0], COLOR[0]], "x.gif", 10),
        ([], "x.gif", 10),
        (GRAY, "x.png", 10),
        (GRAY, "x.gif", 0),
        (GRAY, "x.gif", 51),
    ],
)
def test_what_is_no_animation_is_refused(frames, name, fps, tmp_path):
    with pytest.raises(ValueError, match="must"):
        save_animation(tmp_path / name, frames, fps)
    assert not list(tmp_path.iterdir())
