"""Writes what the layers of a run make of a data set, with its labels.

    genjax features --workdir=RUN --out=FILE.npz [--data=NAME] [--split=test]
        [--layers=encoder.1,encoder.code]

FILE ends in .npz, .safetensors or .parquet: an array (N, …) a layer, by its name, and `label`. Data
are the run's own, or others that it reads: `--data=tsv:FILE` for texts with labels, tfds:, images:,
npz:, conll:. Labels have the run's numbers where they are among its own. Of one file without
--data_test all is written. Of texts features are means over the tokens of each (`--pool`), of
tagged words there is a row a word. The same command goes on where it was stopped.
"""

import functools
from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import program
from genjax.core import files
from genjax.core.config import ConfigError

_ONE_FILE = ("text", "tsv", "conll")  # forms of --data


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_string("out", "", "The file that is written.", **text)
    flags.DEFINE_string("data", "", "As config.data.name; by default the run's own.", **text)
    flags.DEFINE_string("data_test", "", "As config.data.test, of texts in --data.", **text)
    flags.DEFINE_string("data_dir", None, "As config.data.dir; by default the run's own.", **text)
    flags.DEFINE_enum("split", "test", ("train", "test"), "Which part of the data.", **text)
    flags.DEFINE_list("layers", [], "Names of layers; by default all.", **text)
    flags.DEFINE_enum(
        "pool",
        None,
        ("mean", "none", "words"),
        "Of texts: the mean over tokens, all places, or a row a word.",
        **text,
    )
    flags.DEFINE_integer("batch_size", 256, "Examples at once, over all devices.", 1, **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_integer("member", None, "Of a population.", 0, **text)


def _features(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    program.checkpoint_step(values.step)
    if not values.out.endswith((".npz", ".safetensors", ".parquet")):
        raise ConfigError(f"--out={values.out}: must end in .npz, .safetensors or .parquet")
    model = program.load(values, values.member)
    from genjax.core.capabilities import HasFeatures
    from genjax.evaluation import features

    if not isinstance(model.family, HasFeatures):
        message = f"family {model.config.family} has no features"
        raise ConfigError(f"--workdir={values.workdir}: {message}")
    if model.num_members:
        raise ConfigError(f"--workdir={values.workdir}: is a population; give --member")
    kind = model.run.dataset.spec.kind
    asked = features.Asked(
        tuple(values.layers), values.pool or features.usual_pool(kind), values.batch_size
    )
    features.check(model, asked)
    batches, labels, checksum = _data(model, values)
    out = Path(values.out).expanduser().absolute()
    identity = {
        "workdir": str(Path(values.workdir).expanduser().absolute()),
        "step": model.step,
        "member": values.member,
        "data": [values.data, values.data_test, values.data_dir, values.split, checksum],
    }
    with files.writing(f"--out={values.out}"):
        out.parent.mkdir(parents=True, exist_ok=True)
        shapes = features.write(model, batches, asked, out, identity, labels)
    for name, shape in shapes.items():
        print(f"{name}  {shape}")
    print(out)
    return program.DONE


def _data(model: Any, values: Any) -> tuple[Any, tuple[str, ...], Any]:
    """Finds the batches that the flags mean, the names of their labels, and a checksum."""
    from genjax import data
    from genjax.evaluation import features

    mine, config = model.run.dataset, model.config.data.copy_and_resolve_references().unlock()
    if values.data_dir is not None:
        config.dir = values.data_dir
    dataset = mine
    if values.data_test and not values.data:
        raise ConfigError(f"--data_test={values.data_test}: needs --data")
    if values.data:
        config.name = values.data
        form, _, file = values.data.partition(":")
        # What says how the run's own pictures are read is refused with data that have no files.
        if form != "images":
            config.split_by = ""
        if form not in ("images", "tfds"):
            config.max_value = 0.0
        if "test" in config:
            # Of one file all is both splits: nothing of it is held out here.
            config.test = values.data_test or (file if form in _ONE_FILE else "")
        if mine.spec.kind in ("text", "sentence", "passage"):
            config.kind, config.packed, config.bucketed = "sentence", False, False
            return features.of_texts(model, config, values.split)
        tokenizer = Path(values.workdir).expanduser() / data.TOKENIZER
        dataset = data.load(config, None, tokenizer if mine.codec else None)
        for name in ("kind", "shape", "vocab_size", "char_shape", "char_vocab_size"):
            here, there = getattr(dataset.spec, name), getattr(mine.spec, name)
            if here != there:
                message = f"its {name} is {here!r}; must be {there!r}, as the run's data have it"
                raise ConfigError(f"--data={values.data}: {message}")
    source = getattr(dataset, values.split)
    names, number = features.numbered(dataset.labels, mine.labels)
    return features.of_split(source, number), names, dataset.found.get("checksum")


main = functools.partial(program.run, _features, goes_on="behind the examples that are done")
