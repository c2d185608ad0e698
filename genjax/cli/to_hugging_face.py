"""Writes a run of family gpt or bert as a Hugging Face folder.

    genjax to-hugging-face --workdir=DIR --out=FOLDER [--step=N|best] [--member=0]

FOLDER gets config.json, model.safetensors and tokenizer.json with the run's own tokens and ids, so
that `AutoModelForCausalLM.from_pretrained(FOLDER)` (of BERT `AutoModelForMaskedLM`) and
`AutoTokenizer.from_pretrained(FOLDER)` have the same model. Weights are those that evaluate and
sample: the averages, where the run keeps some.
"""

import functools
from typing import Any

from absl import flags

from genjax.cli import program
from genjax.core.config import ConfigError


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a run.", **text)
    flags.DEFINE_string("out", "", "The Hugging Face folder, which is made.", **text)
    flags.DEFINE_string("step", "", "Of the checkpoint, or best; by default the newest.", **text)
    flags.DEFINE_integer("member", 0, "Of a population.", 0, **text)


def _to_hugging_face(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    program.checkpoint_step(values.step)
    if not values.out:
        raise ConfigError("--out: missing; must be the folder to make, as in --out=my_gpt2")
    model = program.load(values, values.member)
    import jax
    import numpy as np

    from genjax import hf

    params = jax.tree.map(np.asarray, model.state.eval_params)
    codec = model.run.dataset.codec
    hf.write(values.out, hf.Pretrained(model.config, params, codec))  # type: ignore[arg-type]
    print(values.out)
    return program.DONE


main = functools.partial(program.run, _to_hugging_face)
