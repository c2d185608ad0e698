"""Grids of images and the PNG files they become."""

import os

import numpy as np
import pytest
from PIL import Image

from genjax.plots.grid import image_grid, reconstruction_grid, save_png


def cells(grid, rows, columns):
    """The images in a grid, cut out again, one row a list."""
    height, width = grid.shape[0] // rows, grid.shape[1] // columns
    return [
        [grid[r * height :, c * width :][:height, :width] for c in range(columns)]
        for r in range(rows)
    ]


def test_each_pixel_becomes_a_square_of_its_value():
    image = np.array([[0.0, 1.0], [0.5, 0.25]])[None, :, :, None]
    grid = image_grid(image, scale=4)  # separators of one pixel
    assert grid.dtype == np.uint8
    assert grid.shape == (10, 10, 1)
    np.testing.assert_array_equal(
        grid[1:-1, 1:-1, 0], np.kron([[0, 255], [128, 64]], np.ones((4, 4)))
    )


def test_images_run_along_rows_and_places_left_are_black():
    values = np.linspace(0.2, 1, 5)
    grid = image_grid(np.ones((5, 4, 4, 1)) * values[:, None, None, None], columns=3, scale=4)
    middles = [[int(cell[9, 9, 0]) for cell in row] for row in cells(grid, 2, 3)]
    assert middles == [[51, 102, 153], [204, 255, 0]]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_separators_run_all_around(n, channels):
    grid = image_grid(np.ones((n, 8, 6, channels)), scale=4)
    assert grid.shape[2] == channels
    for edge in (grid[0], grid[-1], grid[:, 0], grid[:, -1]):
        assert (edge == 128).all()


def test_small_images_grow_until_they_show():
    assert image_grid(np.zeros((1, 8, 8, 1))).shape[0] >= 64
    assert image_grid(np.zeros((1, 28, 28, 1))).shape[0] >= 56
    assert image_grid(np.zeros((1, 128, 128, 3))).shape == (130, 130, 3)


def test_values_outside_the_range_are_clipped_and_nan_is_black():
    grid = image_grid(np.array([-3.0, 7.0, np.nan, np.inf]).reshape(4, 1, 1, 1), columns=4, scale=4)
    assert [int(c[2, 2, 0]) for c in cells(grid, 1, 4)[0]] == [0, 255, 0, 255]


def test_reconstructions_stand_right_below_their_inputs():
    inputs = np.ones((5, 4, 4, 1)) * (np.arange(5)[:, None, None, None] + 1) / 10
    grid = reconstruction_grid(inputs, inputs + 0.5, columns=3, scale=4)
    middles = [[round(float(c[9, 9, 0]) / 25.5) for c in row] for row in cells(grid, 4, 3)]
    assert middles == [[1, 2, 3], [6, 7, 8], [4, 5, 0], [9, 10, 0]]


def test_fewer_pairs_than_columns_leave_no_empty_columns():
    pair = np.ones((2, 4, 4, 1))
    assert reconstruction_grid(pair, pair, scale=4).shape[1] == 2 * 17 + 1


@pytest.mark.parametrize("shape", [(4, 8, 8), (0, 8, 8, 1), (4, 8, 8, 2)])
def test_what_is_no_batch_of_images_is_refused(shape):
    with pytest.raises(ValueError, match="must be"):
        image_grid(np.zeros(shape))


def test_pairs_of_different_shape_are_refused():
    with pytest.raises(ValueError, match="must be equal"):
        reconstruction_grid(np.zeros((4, 8, 8, 1)), np.zeros((3, 8, 8, 1)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_the_pixels_it_was_given(tmp_path, channels):
    image = np.random.RandomState(0).randint(256, size=(9, 7, channels)).astype(np.uint8)
    path = tmp_path / "new" / "folder" / "grid.png"
    save_png(path, image)
    with Image.open(path) as file:
        np.testing.assert_array_equal(np.asarray(file).reshape(image.shape), image)
    assert os.listdir(path.parent) == ["grid.png"]


def test_a_png_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "grid.png").mkdir()  # a folder in the way: the rename fails
    with pytest.raises(OSError):
        save_png(tmp_path / "grid.png", np.zeros((4, 4, 1), np.uint8))
    assert os.listdir(tmp_path) == ["grid.png"]


def test_what_is_no_picture_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="must be uint8"):
        save_png(tmp_path / "grid.png", np.zeros((4, 4, 1), np.float32))
    assert not os.listdir(tmp_path)
