"""Whatever its mode, format and range, a picture has the pixels that it shows, or is refused."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from genjax.core.config import ConfigError
from genjax.data.image import pictures
from tests.data import odd_pictures as odd


def decode(write, tmp_path, channels=0, max_value=0):
    return pictures.decode(odd.encoded(write, tmp_path), "picture", 0, channels, max_value)


def assert_shows_the_picture(x, first_row=0, within=2):
    x = x[first_row:].astype(int)
    left, right = x[:, : odd.SIDE // 2 - 1], x[:, odd.SIDE // 2 + 1 :]  # JPEG smooths the edge
    assert abs(left - odd.LEFT).max() <= within and abs(right - odd.RIGHT).max() <= within


@pytest.mark.parametrize("channels", [0, 1, 3])
@pytest.mark.parametrize("name", odd.SHOWN)
def test_pixels_are_what_the_picture_shows(name, channels, tmp_path):
    x = decode(odd.SHOWN[name], tmp_path, channels)
    assert x.shape[:2] == (odd.SIDE, odd.SIDE) and (not channels or x.shape[2] == channels)
    assert_shows_the_picture(x)


@hypothesis.given(st.integers(1, 65535), st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_a_pgm_of_any_maximum_is_shares_of_white(most, shares):
    x = np.array([shares]) * most
    kind = ">u2" if most > 255 else "u1"
    content = b"P5\n%d 1\n%d\n" % (x.size, most) + x.astype(kind).tobytes()
    got = pictures.decode(content, "x.pgm", 0, 0)[..., 0]
    assert abs(got - np.floor(x) * 255 / most).max() <= 1


@hypothesis.given(st.binary(min_size=1, max_size=8), st.binary(min_size=8, max_size=8))
def test_transparency_mixes_the_color_with_white(colors, alphas):
    x = np.frombuffer(colors, np.uint8)[None]
    a = np.frombuffer(alphas, np.uint8)[None, : x.size]
    want = (x * (a / 255.0) + 255 * (1 - a / 255.0))[..., None]
    for mode in ("LA", "RGBA"):
        image = Image.fromarray(np.stack([x] * (len(mode) - 1) + [a], -1), mode)
        assert abs(pictures.fit(image, 0, 1) - want).max() <= 1


def test_one_bit_is_black_and_white(tmp_path):
    x = decode(lambda path: odd.picture().convert("1", dither=0).save(path, "PNG"), tmp_path)
    assert (x[:, :16] == 0).all() and (x[:, 16:] == 255).all()


def test_a_tiff_of_twelve_bits_says_so(tmp_path):
    x = np.frombuffer(odd.twelve_bits(odd.GRAY.astype(np.uint16) * 16), np.uint8)
    content = odd.tiff(x.reshape(odd.SIDE, -1), bits=12, width=odd.SIDE)
    assert_shows_the_picture(pictures.decode(content, "twelve.tif", 0, 0))


@pytest.mark.parametrize("name", odd.UNCLEAR)
def test_a_range_that_no_file_tells_must_be_said(name, tmp_path):
    write, white = odd.UNCLEAR[name]
    with pytest.raises(ConfigError, match=r"^picture: .*config\.data\.max_value") as e:
        decode(write, tmp_path)
    assert "\n" not in str(e.value) and len(str(e.value)) < 300
    assert_shows_the_picture(decode(write, tmp_path, max_value=white))


@pytest.mark.parametrize("kind", ["gray and alpha", "rgb", "rgba", "tiff"])
def test_colors_of_16_bits_are_not_taken_for_black(kind):
    """Pillow has cut them to 8 bits: what 12 bits in 16 hold is lost."""
    most = np.full_like(odd.GRAY, 65535, np.uint16)

    def written(gray):
        colors = [gray] if kind == "gray and alpha" else [gray] * 3
        x = np.stack(colors + [most] * (kind in ("gray and alpha", "rgba")), -1)
        if kind == "tiff":
            return odd.tiff(x, width=odd.SIDE, photometric=2, samples=3)
        return odd.plain_png(x, 16)

    gray = odd.GRAY.astype(np.uint16)
    assert_shows_the_picture(pictures.decode(written(gray * 257), "x", 0, 0))
    assert pictures.decode(written(gray * 0), "x", 0, 0).max() == 0
    with pytest.raises(ConfigError, match=r"^x: .*no value above 3\d\d\d: .*8 bits a channel$"):
        pictures.decode(written(gray * 16), "x", 0, 0)
    with pytest.raises(ConfigError, match=r"^x: .*config\.data\.max_value=4095 is for gray"):
        pictures.decode(written(gray * 16), "x", 0, 0, 4095)


def test_a_dark_picture_stays_dark(tmp_path):
    """The range is not that of one picture: 0.2 is 0.2 of white."""
    dark = Image.fromarray(np.full((4, 4), 0.2, np.float32))
    assert decode(lambda path: dark.save(path, "TIFF"), tmp_path).max() == 51
    black = Image.fromarray(np.zeros((4, 4), np.uint16))
    assert decode(lambda path: black.save(path, "PNG"), tmp_path).max() == 0


@pytest.mark.parametrize(
    ("x", "max_value", "message"),
    [
        (np.full((4, 4), -1, np.float32), 0, "holds -1; pictures must not go below 0"),
        (np.full((4, 4), -1, np.int32), 255, "holds -1; pictures must not go below 0"),
        (np.full((4, 4), np.nan, np.float32), 0, "holds values that are no numbers"),
        (np.full((4, 4), np.inf, np.float32), 1, "holds values that are no numbers"),
        (np.full((4, 4), 300, np.int32), 255, "holds 300, above config.data.max_value=255"),
    ],
)
def test_values_outside_are_refused(x, max_value, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        decode(lambda path: Image.fromarray(x).save(path, "TIFF"), tmp_path, max_value=max_value)


@pytest.mark.parametrize("channels", [0, 1, 3])
@pytest.mark.parametrize("name", odd.TRANSPARENT)
def test_the_background_shows_through_and_no_hidden_color(name, channels, tmp_path):
    x = decode(odd.TRANSPARENT[name], tmp_path, channels)
    assert not channels or x.shape[2] == channels
    assert (x[: odd.HIDDEN] == 255).all()
    # Four bits cannot tell 64 from 68.
    assert_shows_the_picture(x, odd.HIDDEN, within=5 if "four_bits" in name else 2)


def test_half_transparent_is_half_white():
    image = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    np.testing.assert_array_equal(pictures.fit(image, 0, 0), np.full((2, 2, 3), 127))


def test_no_hidden_color_bleeds_when_pictures_shrink(tmp_path):
    content = odd.encoded(odd.TRANSPARENT["rgba_hidden_magenta.png"], tmp_path)
    x = pictures.decode(content, "picture", 8, 3).astype(int)
    assert abs(x - x[..., :1]).max() == 0  # gray everywhere


@pytest.mark.parametrize("name", odd.ORIENTED)
def test_pictures_are_turned_once_whatever_the_format(name, tmp_path):
    x = decode(odd.ORIENTED[name], tmp_path).swapaxes(0, 1)
    assert_shows_the_picture(x)


def test_orientation_counts_for_wide_pictures(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.fromarray(odd.GRAY.astype(np.uint16) * 257)
    x = decode(lambda path: wide.save(path, "PNG", exif=exif), tmp_path)
    assert_shows_the_picture(x.swapaxes(0, 1))


def test_broken_exif_does_not_make_a_picture_unreadable(tmp_path):
    x = decode(lambda path: odd.picture().save(path, "PNG", exif=b"no EXIF at all"), tmp_path)
    assert_shows_the_picture(x)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_counts(kind, tmp_path):
    frames = [Image.fromarray(np.full((8, 8), v, np.uint8)) for v in (10, 120, 250)]
    options = {"lossless": True} if kind == "WEBP" else {}
    x = decode(
        lambda path: frames[0].save(path, kind, save_all=True, append_images=frames[1:], **options),
        tmp_path,
    )
    assert (x == 10).all()
