"""Grids with names, maps of codes, and titles that are whole."""

import numpy as np
import pytest

from experiments import pictures
from genjax.plots import figure, histograms, labeled, points
from genjax.plots.grid import image_grid

RNG = np.random.default_rng(0)


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn."""
    drawn = []

    def to_array(f):
        drawn.append(f)
        return figure.to_array(f)

    for module in (labeled, histograms, pictures, points):
        monkeypatch.setattr(module, "to_array", to_array)
    return drawn


def texts(f):
    """Those that are drawn: of the ticks those within the limits of their axes."""
    found = [*f.texts, *(t for legend in f.legends for t in legend.get_texts())]
    for axes in f.axes:
        found += [axes.title, axes.xaxis.label, axes.yaxis.label]
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            low, high = sorted(limits)
            ticks = zip(axis.get_ticklocs(), axis.get_ticklabels())
            found += [label for place, label in ticks if low <= place <= high]
    return [t for t in found if t.get_text().strip()]


def assert_all_inside(f):
    for text in texts(f):
        box = text.get_window_extent()
        message = (text.get_text(), box)
        assert box.x0 >= 0 and box.y0 >= 0, message
        assert box.x1 <= f.bbox.width and box.y1 <= f.bbox.height, message


def test_a_grid_holds_every_pixel_and_its_names_lie_beside_it(figures):
    images = RNG.uniform(size=(6, 8, 8, 1)).astype(np.float32)
    drawn = labeled.plot_grid(
        images,
        3,
        title="A long title of a small grid that needs more than one line",
        rows=["latent 4", "a class with $ and a name that is much too long"],
        tops=["-1.50", "+0.00", "+1.50"],
        xlabel="standard deviations",
        ylabel="latent 0",
    )
    grid = image_grid(images, columns=3).repeat(3, axis=-1)
    rows, columns = (drawn.shape[i] - grid.shape[i] for i in (0, 1))
    found = [
        (i, j)
        for i in range(rows + 1)
        for j in range(columns + 1)
        if (drawn[i, j : j + 5] == grid[0, :5]).all()
        and (np.abs(drawn[i : i + len(grid), j : j + grid.shape[1]].astype(int) - grid) < 2).all()
    ]
    assert len(found) == 1
    assert_all_inside(figures[0])
    shown = [t.get_text() for t in texts(figures[0])]
    assert {"latent 4", "-1.50", "standard deviations", "latent 0"} <= set(shown)


@pytest.mark.parametrize("classes", [0, 3, 12, 30])
def test_a_map_names_its_classes_in_a_legend(classes, figures):
    label = np.arange(300) % max(classes, 1)
    names = [f"class {i}" for i in range(classes)]
    picture = labeled.plot_codes(
        RNG.normal(size=(300, 2)),
        label,
        names,
        title="Codes of the first 300 test examples",
        xlabel="first principal component (37% of the variance)",
        ylabel="second",
    )
    assert picture.dtype == np.uint8
    assert_all_inside(figures[0])
    shown = [t.get_text() for legend in figures[0].legends for t in legend.get_texts()]
    most = names if classes <= 20 else ["10 others", *names[:20]]
    assert shown == most


def test_a_map_names_odd_classes_and_takes_labels_of_none_for_others(figures):
    names, points_Nx2 = ["_private", "$a", "c"], RNG.normal(size=(12, 2))
    for label, others in ((np.arange(12) % 3, []), (np.arange(12) % 5 - 1, ["others"])):
        labeled.plot_codes(points_Nx2, label, names, title="t", xlabel="x", ylabel="y")
        (legend,) = figures[-1].legends
        assert [t.get_text() for t in legend.get_texts()] == [*others, "_private", r"\$a", "c"]
    labeled.plot_codes(points_Nx2, np.full(12, -1), [], title="t", xlabel="x", ylabel="y")


LONG = "gradient of the critic at its samples, before and after 1,000 steps of weight clipping"


def drawings():
    series = {LONG: {f"{LONG} {i}": (np.arange(5), np.arange(5)) for i in range(3)}, "x": {}}
    pair = {LONG: RNG.normal(size=(20, 2)), f"{LONG} 2": RNG.normal(size=(20, 2))}
    value, spots = RNG.normal(size=(8, 8)), {LONG: RNG.normal(size=(20, 2))}
    return {
        "series": lambda: pictures.plot_series(series, columns=2),
        "mixtures": lambda: pictures.plot_mixtures(pair, np.eye(2), 0.1),
        "paths": lambda: pictures.plot_paths(
            {n: p[None] for n, p in pair.items()}, labels=("a", "b")
        ),
        "pictures": lambda: pictures.plot_pictures(
            {n: np.zeros((8, 8, 1), np.uint8) for n in pair}
        ),
        "surfaces": lambda: pictures.plot_surfaces({LONG: {"a": value, LONG: value}}, spots, 1),
        "weights": lambda: pictures.plot_weights({LONG: value, "b": value}),
        "points": lambda: points.plot_points(pair[LONG], title=LONG),
        "latents": lambda: histograms.plot_latents(value, titles=[LONG] * 8),
    }


@pytest.mark.parametrize("name", drawings())
def test_titles_are_whole_and_do_not_touch(name, figures):
    drawings()[name]()
    (drawn,) = figures
    titles = [axes.title for axes in drawn.axes if axes.title.get_text()]
    boxes = [title.get_window_extent() for title in titles]
    assert boxes and all(b.x0 >= 0 and b.x1 <= drawn.bbox.width for b in boxes)
    assert all(b.y0 >= 0 and b.y1 <= drawn.bbox.height for b in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    shown = [" ".join(t.get_text().split()) for t in titles]
    assert any(LONG in text for text in shown)


def test_every_part_of_a_word_wider_than_its_panel_is_there():
    f = figure.new_figure(200, 100)
    text = "reverse_kl_high_quality_over_all_members_of_the_population"
    lines = figure.wrapped(f, text, 100).split("\n")
    assert len(lines) > 1 and "".join(lines) == text
    assert all(figure.text_width(f, line) <= 100 for line in lines)
    assert figure.wrapped(f, "5 $ a $", 100) == r"5 \$ a \$"
