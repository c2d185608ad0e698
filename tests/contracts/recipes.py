"""Every recipe of `configs/`, and every variant of `tests.contracts.variants`, made tiny.

A new file in `configs/` is found by itself. What is done to make it tiny is generic: widths of the
`model` section are cut, the bundled data replace what would have to be downloaded, images are as
small as the family accepts, and texts are short and of few words.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_collections import ConfigDict

from genjax import data, families
from genjax.core.config import ConfigError, of_texts
from genjax.engine import loop
from genjax.engine.run import prepare
from genjax.recipes import load as from_file
from tests.contracts.variants import VARIANTS

CONFIGS = Path(__file__).parents[2] / "configs"
# For configs whose data and runs are not read: nothing can be written there.
NOWHERE = Path("/dev/null")
ASKING = ("keep", "targets")  # which a section `teacher` may only be with a run
BATCH_SIZE = 16
_WIDTH = 16  # most of any number in the model section
_SIZES = (8, 16, 28, 32, 64)  # of images, the smallest that the family takes is used
_LENGTH = 16  # most tokens of an example
_VOCABULARY = 300  # most tokens; bytes alone are 256

# Of the variants of texts and of tasks two each are tested in CI, the others by name.
_BY_NAME = (
    "bert", "elmo", "gru_lm", "seq2seq", "tagger", "text_", "transformer", "word2vec",
    "continual+class+si", "continual+domain", "continual+task+d",
)  # fmt: skip
_LONG = tuple(name for name in VARIANTS if name.startswith(_BY_NAME))
# Families of text beside `gpt`, by the recipe that is tested of each.
TEXTS = (
    "bert", "elmo", "gru_lm", "seq2seq", "tagger", "text_autoencoder", "text_classifier",
    "transformer", "word2vec_cbow",
)  # fmt: skip
# The U-Net takes half a minute to compile; texts are tested on one version of Python.
SLOW = ("flow_matching", *TEXTS, *(name for name in VARIANTS if name not in _LONG))


def recipes() -> list[str]:
    """The names of all recipes: the files of `configs/`."""
    return sorted(p.stem for p in CONFIGS.glob("*.py") if not p.stem.startswith("_"))


def names() -> list[str]:
    """All that the contracts are tested on: recipes that differ when tiny, and variants."""
    return [*different(), *(v for v, (recipe, _) in VARIANTS.items() if recipe in recipes())]


@functools.cache
def different() -> tuple[str, ...]:
    """The recipes that still differ when they are tiny: one of each kind."""
    by_config = {_shrunk(name, NOWHERE).to_json(): name for name in reversed(recipes())}
    return tuple(sorted(by_config.values()))


@functools.cache
def first() -> frozenset[str]:
    """A recipe of each family: the one of its name, if there is one."""
    chosen: dict[str, str] = {}
    for name in reversed(recipes()):
        family = load(name).family
        if chosen.get(family) != family:
            chosen[family] = name
    return frozenset(chosen.values())


def marked(names: list[str], by_name: Sequence[str] = ()) -> list[Any]:
    """`names` for pytest: recipes of most families are fast, `SLOW` ones slow, the others long.

    Those differ from the first ones in numbers or details: they are run by name (`-m long`), as are
    those of `by_name`.
    """
    marks = dict.fromkeys(first(), ()) | dict.fromkeys(SLOW, pytest.mark.slow)
    marks |= dict.fromkeys(by_name, pytest.mark.long)
    return [pytest.param(n, marks=marks.get(n, pytest.mark.long)) for n in names]


def selected(request: pytest.FixtureRequest) -> list[str]:
    """Those of `names()` that some test of this file and session is about."""
    there = (item for item in request.session.items if item.path == request.path)
    items = (getattr(item, "callspec", None) for item in there)
    about = {spec.params.get("name") for spec in items if spec is not None}
    return [name for name in names() if name in about]


def load(recipe: str) -> ConfigDict:
    """The config of a recipe as its file gives it."""
    return from_file(str(CONFIGS / f"{recipe}.py")).unlock()


def tiny(name: str, folder: Path, **changes: Any) -> ConfigDict:
    """A recipe or variant, made tiny.

    Args:
      name: of `names()`.
      folder: where pictures for the streamed variant and decoded data go.
      **changes: fields to set, "." written as "__".
    """
    c = _shrunk(name, folder)
    with c.unlocked():
        c.update_from_flattened_dict({f.replace("__", "."): v for f, v in changes.items()})
    if "steps_per_task" in c.data:  # tasks are as long as the run allows
        tasks = 5 if c.steps % 5 == 0 else 1
        c.data.update(num_tasks=tasks, steps_per_task=c.steps // tasks)
    if c.data.name == "images:PICTURES":
        c.data.name = f"images:{_pictures(folder / 'pictures')}"
    if c.data.name == "digits":
        c.data.image_size = _smallest_size(c)
    if folder != NOWHERE:
        _begin_used_runs(c, folder)
    return c.lock()


def _shrunk(name: str, folder: Path) -> ConfigDict:
    recipe, variant = VARIANTS.get(name, (name, {}))
    c = load(recipe)
    for section in ("model", "generator"):
        _shrink(c.get(section, ConfigDict()))
    c.update({"steps": 20, "epochs": 0.0, "examples": 0, "batch_size": BATCH_SIZE})
    c.update({"executor": "scan", "num_seeds": 1, "log_every": 4, "num_samples": 4})
    c.update({"eval_every": 0, "sample_every": 0, "checkpoint_every": 0})
    c.update({"eval_metrics": "", "best_metric": ""})
    for section in optimizer_sections(c):  # a warm-up is over soon, as the run is
        c[section].warmup_steps = min(c[section].warmup_steps, 2)
    if of_texts(c.data):
        _shrink_text(c.data)
    elif c.data.name.startswith(("tfds:", "images:")):
        c.data.name, c.data.split_by = "digits", ""
    c.data.cache_dir = str(folder / "cache")
    if "teacher" in c:  # a recipe's user names one; here variants have theirs
        c.teacher.update({name: type(c.teacher[name])() for name in ASKING if name in c.teacher})
    with c.unlocked():
        c.update_from_flattened_dict(variant)
    return c


def tolerance(config: ConfigDict) -> float:
    """By which fraction of its movement a leaf may differ between two right programs.

    float32 sums in another order, five steps long; bfloat16 has 8 bits, and each device rounds its
    part of a gradient before the parts are summed.
    """
    return 0.15 if config.precision == "bfloat16" else 2e-3


def optimizer_sections(config: ConfigDict) -> list[str]:
    """The names of the config's optimizer sections."""
    return [section for section in config if section.endswith("optimizer")]


def lipschitz(config: ConfigDict) -> ConfigDict:
    """The config with an Adam that moves little where the gradient is little.

    With its usual epsilon of 1e-8 Adam makes a full step of a gradient that is nothing but rounding
    (the bias of a Wasserstein critic, whose gradient is exactly 0, has only such), so two right
    programs that sum in different orders part by the whole learning rate.
    """
    c = ConfigDict(config)
    for section in optimizer_sections(c):
        c[section].eps = 1e-3
    return c.lock()


def _shrink(model: ConfigDict) -> None:
    """Cuts all widths to at most 16 (a power of two, so that heads still divide them).

    Of convolutions one is left: written as matrix products they take long to compile.
    """
    for field, value in model.items():
        if isinstance(value, ConfigDict):
            _shrink(value)
        elif isinstance(value, tuple) and all(type(v) is int for v in value):
            depth = 1 if "channels" in field else len(value)
            model[field] = tuple(min(v, _WIDTH) for v in value[:depth])
        elif type(value) is int:
            model[field] = min(value, _WIDTH)


def _shrink_text(data: ConfigDict) -> None:
    """Bundled texts instead of files, cut short."""
    source = data.name.partition(":")[0]
    data.name = "reverse" if source in ("pairs", "reverse") else "python_docs"
    data.kind = {"tsv": "sentence", "conll": "tagged"}.get(source, data.kind)
    data.test, data.test_fraction = "", 0.1
    data.length = min(data.length, _LENGTH)
    data.vocab_size = min(data.vocab_size, _VOCABULARY)


def _smallest_size(c: ConfigDict) -> int:
    for size in _SIZES:
        c.data.image_size = size
        try:
            families.build(c, data.load(c.data).spec, c.steps)
            return size
        except ConfigError as error:
            refusal = error
    raise refusal


def _begin_used_runs(c: ConfigDict, folder: Path) -> None:
    """Trains the teacher or the writer of a variant, and names it."""
    if "teacher" in c and c.teacher.workdir == "TEACHER":
        recipe = "seq2seq" if c.data.name == "reverse" else "classifier"
        c.teacher.workdir = str(_begun(recipe, folder / f"teacher_{recipe}"))
    if "augment" in c and c.augment.workdir == "WRITER":
        c.augment.workdir = str(_begun("text_autoencoder", folder / "writer"))


def _begun(recipe: str, folder: Path) -> Path:
    """A run of a recipe that has begun to learn."""
    if not folder.exists():
        loop.train(prepare(tiny(recipe, folder.parent, steps=4)), folder)
    return folder


def _pictures(folder: Path) -> Path:
    """A folder of 60 small gray pictures in two classes."""
    if not folder.exists():
        from PIL import Image

        rng = np.random.default_rng(0)
        for i in range(60):
            path = folder / f"class_{i % 2}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            blob = rng.integers(0, 200, (8, 8), np.uint8) // (1 + i % 2)
            Image.fromarray(blob).save(path)
    return folder
