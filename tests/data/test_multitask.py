"""Several tasks at once: what each sees of an example, what it is asked, and how often."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.core.config import ConfigError
from genjax.data.multitask import NOT_ASKED, Mixed
from genjax.data.source import rows
from genjax.families import multitask
from genjax.families.multitask import text_config

LABELS = ["sentiment/good", "sentiment/bad", "entities/none", "entities/some", "place/here"]


def section(**changes):
    d = multitask.default_config().data
    d.update(changes)
    return d


def load(**changes):
    return data.load(section(**changes))


def batches(source, steps, size, seed=3):
    xs = source.plan(jax.random.key(seed), source.cursor(0, (size,)), steps, (size,))
    arrays = jax.tree.map(jnp.asarray, source.arrays)
    each = [source.fetch(arrays, jax.tree.map(lambda a, i=i: a[i], xs)) for i in range(steps)]
    return {name: np.concatenate([b[name] for b in each]) for name in each[0]}


def all_of(source):
    found = list(rows(source, 100))
    return {name: np.concatenate([b[name] for b in found]) for name in found[0]}


def test_each_task_sees_every_example_its_way_and_is_asked_alone():
    groups = (0, 1) * 5
    dataset = load(tasks=("class", "rotation", "flip", "group"), groups=groups)
    plain = all_of(data.load(section(tasks=("class",))).test)
    digits, n = plain["x"], len(plain["x"])
    found = all_of(dataset.test)
    assert dataset.spec.task_classes == (10, 4, 2, 2) and dataset.spec.num_classes == 10
    assert len(found["x"]) == 4 * n == dataset.test.num_examples
    for t in range(4):
        part = slice(t * n, (t + 1) * n)
        target, x = found["target"][part], found["x"][part]
        assert (np.delete(target, t, 1) == NOT_ASKED).all()
        own = target[:, t]
        if t == 0:
            np.testing.assert_array_equal(own, plain["target"][:, 0])
            np.testing.assert_array_equal(x, digits)
        elif t == 1:
            np.testing.assert_array_equal(x, [np.rot90(d, k) for d, k in zip(digits, own)])
            assert np.bincount(own).min() > n / 4 - n / 10  # each turn about as often
        elif t == 2:
            np.testing.assert_array_equal(x, [d[:, ::-1] if k else d for d, k in zip(digits, own)])
        else:
            np.testing.assert_array_equal(own, np.array(groups)[plain["target"][:, 0]])


def test_overlays_are_of_two_pictures_and_ask_for_both():
    dataset = load(tasks=("left", "right"))
    plain = all_of(data.load(section(tasks=("class",))).test)
    digits, label = plain["x"], plain["target"][:, 0]
    found = all_of(dataset.test)
    assert dataset.spec.shape == (12, 12, 1) and len(found["x"]) == len(digits)
    np.testing.assert_array_equal(found["target"][:, 0], label)
    left = np.pad(digits, ((0, 0), (0, 4), (0, 4), (0, 0)))
    for x, own, other in zip(found["x"], left, found["target"][:, 1]):
        fits = (np.maximum(own[4:, 4:], digits) == x[4:, 4:]).all((1, 2, 3))
        assert other in label[fits]
        np.testing.assert_array_equal(x[:4], own[:4])
    assert abs((found["target"][:, 0] == found["target"][:, 1]).mean() - 0.1) < 0.07
    trained = batches(dataset.train, 2, 64)
    assert (trained["target"] >= 0).all() and trained["x"].shape == (128, 12, 12, 1)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 1e6])
def test_tasks_are_drawn_by_their_size_to_the_inverse_temperature(temperature):
    sizes = np.array([400, 100, 1000])
    dataset = load(sizes=tuple(sizes), temperature=temperature)
    assert dataset.train.num_examples == sizes.sum()
    target = batches(dataset.train, 4, 2000)["target"]
    shares = sizes ** (1 / temperature) / (sizes ** (1 / temperature)).sum()
    np.testing.assert_allclose((target != NOT_ASKED).mean(0), shares, atol=0.025)


def test_fewer_examples_are_a_part_of_more_and_a_later_start_finds_the_same():
    few, more = (load(tasks=("class",), sizes=(n,)).train for n in (30, 200))
    assert set(few.arrays["rows"]) < set(more.arrays["rows"]) and few.num_examples == 30
    whole = more.plan(jax.random.key(0), more.cursor(0, (4,)), 5, (4,))
    later = more.plan(jax.random.key(0), more.cursor(3, (4,)), 2, (4,))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[3:], b), whole, later)
    held = load(tasks=("class",), validation_fraction=0.25)
    assert held.train.num_examples + held.validation.num_examples == 1618
    assert len(all_of(held.validation)["x"]) == held.validation.num_examples


@pytest.fixture
def texts(tmp_path):
    """A file of ten texts of each of three tasks, and one of two texts of each for tests."""
    for name, count in (("train", 10), ("test", 2)):
        lines = [f"word{i % 3} of {n}\t{n}\n" for n in LABELS for i in range(count)]
        (tmp_path / f"{name}.tsv").write_text("".join(lines))
    d = text_config().data
    d.update(name=f"tsv:{tmp_path}/train.tsv", test=f"{tmp_path}/test.tsv", length=8)
    d.cache_dir = str(tmp_path / "cache")
    return d


def test_texts_belong_to_the_tasks_that_their_classes_name(texts):
    texts.tasks = ("sentiment", "entities")
    dataset = data.load(texts)
    assert dataset.spec.task_classes == (2, 2) and dataset.labels == ("bad", "good")
    assert dataset.train.num_examples == 40 and dataset.test.num_examples == 8
    found = all_of(dataset.test)
    expected = [[0, -1]] * 2 + [[1, -1]] * 2 + [[-1, 0]] * 2 + [[-1, 1]] * 2
    assert sorted(map(tuple, found["target"])) == sorted(map(tuple, expected))
    for x, target in zip(found["x"], found["target"]):
        assert dataset.codec.decode(x).split()[2] == ("sentiment" if target[0] >= 0 else "entities")
    texts.tasks = ("sentiment", "mood")
    with pytest.raises(
        ConfigError, match=r"mood has no class TASK/CLASS .* entities, place, senti"
    ):
        data.load(texts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ("class", "left")}, r"data.tasks=.*: must be some of class, group, .*left, ri"),
        ({"tasks": ("class", "class")}, "must be at least one, and different ones"),
        ({"tasks": ("group",)}, r"data.groups=\(\): must be a group for each of the 10 classes"),
        ({"groups": (0, 1)}, r"data.groups=\(0, 1\): must be a group for each of the 10 classes"),
        ({"sizes": (1, 2)}, r"data.sizes=\(1, 2\): must be a number for each of 3 tasks"),
        ({"sizes": (0, 0, 9999)}, "must be at most the 1618 examples of a task"),
        ({"tasks": ("left",), "sizes": (9,)}, "overlays are of all pictures; must be empty"),
        ({"name": "ring"}, "data.name=ring has no labels"),
    ],
)
def test_mistakes_are_told(changes, message):
    with pytest.raises(ConfigError, match=message):
        load(**changes)


def test_an_empty_task_of_a_test_split_has_no_example():
    source = load(tasks=("class",)).test.all
    mixed = Mixed(source, [np.arange(0), np.arange(3), np.arange(0), np.arange(2)])
    task = mixed.evaluation(5)["task"].ravel()
    np.testing.assert_array_equal(task, [1, 1, 1, 3, 3])
