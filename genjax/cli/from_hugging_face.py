"""Makes a run of a Hugging Face folder of GPT-2 or BERT, at step 0.

    python -m experiments.from_hugging_face --folder=FOLDER --workdir=DIR [--config.FIELD=VALUE …]

FOLDER holds config.json, model.safetensors (or its shards) and tokenizer.json, as `save_pretrained`
of `transformers` writes them. DIR is then a run like any other: it can be evaluated and sampled,
and trained further on the texts that the config names (by default Python's own docs):

    python -m experiments.from_hugging_face --folder=gpt2 --workdir=runs/gpt2 \\
        --config.data.name=text:FILE --config.data.length=256 --config.steps=2000
    python -m experiments.train --config=runs/gpt2/config.json --workdir=runs/gpt2

`data.length` below the folder's number of places leaves out the last of them.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from genjax import recipes
from genjax.cli import program
from genjax.core.config import ConfigError, fail


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the run; returns the exit status."""
    return program.run(_from_hugging_face, argv)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("folder", "", "The Hugging Face folder.", **text)
    flags.DEFINE_string("workdir", "", "The run's folder, which is made.", **text)


def _from_hugging_face(argv: list[str]) -> int:
    changes = [word for word in argv if recipes.overrides([word])]
    values = program.parse([w for w in argv if w not in changes], __doc__, _define)
    if not values.folder:
        raise ConfigError("--folder: missing; must be a Hugging Face folder, as in --folder=gpt2")
    from genjax import hf

    pretrained = hf.read(values.folder)
    config = recipes.override(pretrained.config.lock(), changes, flags.FlagValues())
    make_run(pretrained._replace(config=config), values.workdir)
    at = f"--workdir={values.workdir}"
    again = f"--config={Path(values.workdir) / 'config.json'}"
    print(f"{config.family} of {values.folder}, now in {values.workdir}. Go on:")
    print(f"  {program.command('evaluate', at)}")
    if config.family == "gpt":
        print(f"  {program.command('sample', at, '--prompt=The')}")
    print(f"  {program.command('train', again, at)}")
    return program.DONE


def make_run(pretrained: Any, workdir: str) -> None:
    """Makes `workdir` the folder of a run with these weights at step 0.

    Args:
      pretrained: a `genjax.hf.Pretrained`, its config locked.
      workdir: not there, or without a run in it.

    Raises:
      ConfigError: the config does not go with the weights or its data, or a run is there.
    """
    import jax

    from genjax import data
    from genjax.data.text import vocabulary
    from genjax.data.text.tokenizers import STORED
    from genjax.engine.checkpoints import Checkpoints, SaveError
    from genjax.engine.loop import prepare
    from genjax.engine.repair import collect
    from genjax.engine.workdir import CHECKPOINTS, check_writable, open_workdir

    config, params, codec = pretrained
    if config.executor == "vmap":
        raise fail("executor", "vmap", "a folder holds one model, no population")
    if config.data.tokenizer != STORED:
        raise fail("data.tokenizer", config.data.tokenizer, f"must be {STORED}, the folder's")
    check_writable(Path(workdir).expanduser().absolute())
    with tempfile.TemporaryDirectory() as folder:
        words = vocabulary.Vocabulary(codec)
        vocabulary.write(words, config.data.kind, Path(folder) / data.TOKENIZER)
        run = prepare(config, folder)
    params = fitted(config, params, run.executor.template().params)

    def begin(params: Any) -> Any:
        state = run.family.init(jax.random.key(config.seed))
        return state.replace(params=params, ema=params if state.ema else {})

    state = jax.jit(begin)(params)  # which draws nothing, as nothing of it would be kept
    path = open_workdir(workdir, config, run.dataset, resume=False)
    data.save(run.dataset, path / data.TOKENIZER)
    checkpoints = Checkpoints(path / CHECKPOINTS)
    checkpoints.carried = collect(path)
    try:
        checkpoints.save(0, state, wait=True)
    except SaveError as error:
        raise ConfigError(str(error)) from error
    finally:
        checkpoints.close()


def fitted(config: ConfigDict, params: Any, template: Any) -> Any:
    """The parameters with as many places as the config has, and without a head that it has not.

    Raises:
      ConfigError: it has more, or is another in what decides shapes.
    """
    from flax.traverse_util import flatten_dict, unflatten_dict

    flat, wanted = (flatten_dict(tree, sep=".") for tree in (params, template))
    if "next_sentence" in config.loss and not config.loss.next_sentence:
        pairs = ("heads.pooler.", "heads.follows.")
        flat = {name: x for name, x in flat.items() if not name.startswith(pairs)}
    for name in sorted({*flat, *wanted}):
        if name.endswith("embedding.positions") and name in wanted:
            more = len(wanted[name]) - len(flat[name])
            if more > 0:
                most = config.data.length - more
                what = f"must be at most {most}, as the folder's model has no more places"
                raise fail("data.length", config.data.length, what)
            flat[name] = flat[name][: len(wanted[name])]
        shapes = [tree[name].shape if name in tree else "absent" for tree in (flat, wanted)]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"--config: {name} is {shapes[0]} in the folder and {shapes[1]} by the config; "
                "fields that decide shapes are the folder's"
            )
    return unflatten_dict(flat, sep=".")
