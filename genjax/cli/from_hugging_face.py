"""Makes a run of a Hugging Face folder of GPT-2 or BERT, at step 0.

    genjax from-hugging-face --folder=FOLDER --workdir=DIR [--config.FIELD=VALUE …]

FOLDER holds config.json, model.safetensors (or its shards) and tokenizer.json, as `save_pretrained`
of `transformers` writes them. DIR is then a run like any other: it can be evaluated and sampled,
and trained further on the texts that the config names (by default Python's own docs):

    genjax from-hugging-face --folder=gpt2 --workdir=runs/gpt2 \\
        --config.data.name=text:FILE --config.data.length=256 --config.steps=2000
    genjax train --config=runs/gpt2/config.json --workdir=runs/gpt2

`data.length` below the folder's number of places leaves out the last of them.
"""

import functools
from pathlib import Path
from typing import Any

from absl import flags

from genjax import recipes
from genjax.cli import program
from genjax.core.config import ConfigError


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
    from genjax.hf import runs

    pretrained = hf.read(values.folder)
    config = recipes.override(pretrained.config.lock(), changes, flags.FlagValues())
    runs.make(pretrained._replace(config=config), values.workdir)
    at = f"--workdir={values.workdir}"
    again = f"--config={Path(values.workdir) / 'config.json'}"
    print(f"{config.family} of {values.folder}, now in {values.workdir}. Go on:")
    print(f"  {program.command('evaluate', at)}")
    if config.family == "gpt":
        print(f"  {program.command('sample', at, '--prompt=The')}")
    print(f"  {program.command('train', again, at)}")
    return program.DONE


main = functools.partial(program.run, _from_hugging_face)
