"""Arrays in memory and of .npz files: their splits, what families are told of them, refusals."""

import io
import warnings
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.core.config import ConfigError, base
from genjax.core.family import DataSpec
from genjax.data import record
from genjax.data.image.digits import _read
from genjax.data.source import rows

X = np.linspace(0, 1, 20 * 6 * 6 * 3).reshape(20, 6, 6, 3)
POINTS = np.random.default_rng(0).normal(3.0, 2.0, (40, 2))
LABEL = np.arange(20) % 2


def load(given=None, name="arrays", **changes):
    section = base().data
    section.update({"name": name} | changes)
    return data.load(section, arrays=given)


def whole(source):
    """All rows of a split, as batches have them."""
    found = list(rows(source, 1000))
    return {name: np.concatenate([batch[name] for batch in found]) for name in found[0]}


def equal(a, b):
    for split in ("train", "test"):
        there, here = whole(getattr(a, split)), whole(getattr(b, split))
        assert there.keys() == here.keys()
        assert all(there[n].tobytes() == here[n].tobytes() for n in there)


def test_digits_as_arrays_are_the_digits():
    x, label = _read()
    equal(load({"x": x / 16, "label": label}), load(name="digits"))


def test_without_a_split_of_the_callers_a_fixed_share_of_each_class_is_held_out():
    found = load({"x": X, "label": LABEL}, test_fraction=0.3)
    assert found.spec == DataSpec("image", (6, 6, 3), 2)
    assert (found.train.num_examples, found.test.num_examples) == (14, 6)
    assert np.bincount(whole(found.test)["label"]).tolist() == [3, 3]
    assert found.found["source"] == "test split a fixed 30 % of each class"
    pixels = np.concatenate([whole(s)["x"] for s in (found.train, found.test)])
    assert sorted(pixels[:, 0, 0, 0]) == sorted(X[:, 0, 0, 0].astype(np.float32))


def test_pictures_of_bytes_are_in_0_to_1_and_points_are_described_by_their_spread():
    x = (X * 255).astype(np.uint8)
    found = load({"x": x[:15], "test": {"x": x[15:]}})
    assert (found.spec.kind, found.spec.shape, found.spec.num_classes) == ("image", (6, 6, 3), 0)
    np.testing.assert_allclose(whole(found.test)["x"], x[15:] / 255, 1e-6)
    points = load({"x": POINTS, "test": {"x": POINTS[:3]}}).spec
    assert (points.kind, points.shape) == ("point", (2,))
    np.testing.assert_allclose((points.center, points.scale), (POINTS.mean(), POINTS.std()), 1e-6)


def test_the_callers_arrays_may_change_afterwards_and_may_be_of_other_kinds():
    mine = X.astype(np.float32)
    found = load({"x": mine, "test": {"x": jnp.asarray(mine[:2])}})
    mine[:] = 0
    np.testing.assert_array_equal(whole(found.train)["x"], X.astype(np.float32))
    assert load({"x": POINTS.tolist()}).spec.shape == (2,)


def test_what_does_not_fit_on_the_device_is_streamed():
    given = {"x": X, "label": LABEL}
    large = load(given, device_limit_mb=0)
    assert large.train.streamed
    equal(large, load(given))
    assert large.found == load(given).found


def test_a_file_holds_the_same_under_flat_names(tmp_path):
    given = {"x": X[:15], "label": LABEL[:15], "test": {"x": X[15:], "label": LABEL[15:]}}
    path = tmp_path / "a.npz"
    np.savez(path, x=X[:15], label=LABEL[:15], test_x=X[15:], test_label=LABEL[15:])
    in_file = load(name=f"npz:{path}")
    equal(in_file, load(given))
    assert in_file.found == load(given).found  # the checksum among others


def test_other_values_are_warned_of_and_other_shapes_refused(caplog):
    then = record.of(load({"x": X}))
    record.check(then, load({"x": X}), "x")
    assert not caplog.records
    record.check(then, load({"x": X[::-1]}), "x")
    assert "other content than the run was trained on" in caplog.text
    with pytest.raises(ConfigError, match=r"shape is \(6, 6, 3\) there, \(6, 5, 3\) here"):
        record.check(then, load({"x": X[:, :, :5]}), "x")


@pytest.mark.parametrize(
    ("given", "changes", "message"),
    [
        (None, {}, r"config.data.name='arrays': were arrays in memory: hand them to genjax.train"),
        ([X], {}, r"data: is list; must be a dict of x and, if there are any, label and test"),
        ({}, {}, r"data: is empty; must be a dict of x"),
        ({"x": X, "y": LABEL}, {}, r"data: is x, y; must be a dict of x and"),
        ({"x": X, "test": {"x": X, "test": X}}, {}, r"data: test: is x, test; must be .* label$"),
        ({"x": X, "test": X}, {}, r"data: test: is ndarray; must be a dict of x"),
        ({"x": [[1.0], [1.0, 2.0]]}, {}, r"data: x: is no array \(ValueError\)"),
        ({"x": X[0]}, {}, r"data: x: is float64 \(6, 6, 3\); must be images \(N, H, W, C\), uint8"),
        ({"x": X > 0.5}, {}, r"data: x: is bool \(20, 6, 6, 3\); must be images"),
        ({"x": np.ones((9, 4), np.int32)}, {}, r"is int32 \(9, 4\); .*; tokens come from texts"),
        ({"x": np.array([[object()]])}, {}, r"data: x: is object \(1, 1\); must be images"),
        ({"x": X[:0]}, {}, r"data: x: is empty, \(0, 6, 6, 3\)"),
        ({"x": 255 * X}, {}, r"data: x: has 1.\d+; must be in \[0, 1\], or uint8"),
        ({"x": X * np.nan}, {}, r"data: x: has nan; must be in \[0, 1\]"),
        ({"x": POINTS * np.inf}, {}, r"data: x: has -?inf; must be finite"),
        ({"x": np.ones((9, 2))}, {}, r"data: x: has one value, 1; must vary"),
        ({"x": X[:1]}, {}, r"config.data.test_fraction=0.1: leaves no example to train on"),
        ({"x": X, "label": LABEL[:3]}, {}, r"data: label: is int64 \(3,\); must be whole numbers"),
        ({"x": X, "label": LABEL / 1.0}, {}, r"label: is float64 \(20,\); must be whole numbers"),
        ({"x": X, "label": LABEL - 1}, {}, r"data: label: has -1; must be in 0 … 65535"),
        ({"x": X, "label": LABEL + 2**40}, {}, r"data: label: has 1099511627777; must be in 0"),
        ({"x": X, "test": {"x": X[:, :5]}}, {}, r"test has x float32 \(5, 6, 3\); must be as tra"),
        ({"x": X, "label": LABEL, "test": {"x": X}}, {}, r"must be as training, x .* and label"),
        ({"x": X}, {"image_size": 32}, r"data.image_size=32: arrays are taken as they are, 6x6x3"),
        ({"x": X}, {"channels": 1}, r"config.data.channels=1: arrays are taken as they are"),
    ],
)
def test_a_mistake_is_one_line(given, changes, message):
    with pytest.raises(ConfigError, match=message) as error:
        load(given, **changes)
    assert "\n" not in str(error.value) and len(str(error.value)) < 250


def archive(*parts, how=zipfile.ZIP_STORED):
    """A .npz file of (name, array or bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as found:
        for name, content in parts:
            if not isinstance(content, bytes):
                array = io.BytesIO()
                np.save(array, content)
                content = array.getvalue()
            with warnings.catch_warnings(action="ignore"):  # of two of one name
                found.writestr(f"{name}.npy", content)
    return file.getvalue()


def changed(place, value):
    """A .npz file with one byte of its directory's entry changed."""
    content = bytearray(archive(("x", X)))
    content[content.rfind(b"PK\x01\x02") + place] = value
    return bytes(content)


HEADER = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no file of arrays as np.savez writes it"),
        (b"no zip" * 99, "is no file of arrays as np.savez writes it"),
        (archive(("x", X), how=zipfile.ZIP_DEFLATED), "x.npy is packed, or larger than the file"),
        (archive(("x", np.array([print]))), "holds Python objects, which are never read"),
        (archive(("x", (HEADER % (b"9" * 15)).ljust(127) + b"\n")), "announces 7,999,999,999,999"),
        (changed(8, 1), "is no file of arrays as np.savez writes it .*encrypted"),
        (changed(6, 200), "is no file of arrays as np.savez writes it .*version 20.0"),
        (archive(("x", X), ("x", X + 1)), "holds x twice"),
        (archive(("label", LABEL)), "is label; must be a dict of x"),
        (archive(("x", X), ("more", X)), "is x, more; must be a dict of x"),
    ],
)
def test_a_file_is_not_trusted(content, message, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as error:
        load(name=f"npz:{path}")
    assert "\n" not in str(error.value) and str(error.value).startswith("config.data.name='npz:")


def test_parts_of_a_file_that_share_its_bytes_are_no_more_than_the_file(tmp_path):
    """As a bomb of overlapping parts has them."""
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as file:
        array = io.BytesIO()
        np.save(array, X)
        file.writestr("x.npy", array.getvalue())
        file.filelist += [file.filelist[0]] * 50  # the directory names the one part again and again
    with pytest.raises(ConfigError, match=r"x\.npy is packed, or larger than the file"):
        load(name=f"npz:{path}")


def test_no_such_file_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="no such file; must be npz:FILE"):
        load(name=f"npz:{tmp_path / 'none.npz'}")
    with pytest.raises(ConfigError, match="is a folder"):
        load(name=f"npz:{tmp_path}")
