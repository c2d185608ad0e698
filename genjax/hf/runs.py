"""Runs that begin with the weights of a Hugging Face folder."""

import tempfile
from pathlib import Path
from typing import Any

import jax
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from genjax import data
from genjax.core.config import STORED, ConfigError, fail
from genjax.data.text import vocabulary
from genjax.engine.checkpoints import Checkpoints, SaveError
from genjax.engine.layout import CHECKPOINTS
from genjax.engine.repair import collect
from genjax.engine.run import prepare
from genjax.engine.workdir import check_writable, open_workdir


def make(pretrained: Any, workdir: str) -> None:
    """Makes `workdir` the folder of a run with these weights at step 0.

    Args:
      pretrained: a `genjax.hf.Pretrained`, its config locked.
      workdir: not there, or without a run in it.

    Raises:
      ConfigError: the config does not go with the weights or its data, or a run is there.
    """
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
    """Cuts the parameters to the config's places, and drops a head that it has not.

    Raises:
      ConfigError: the config has more places, or differs in what decides shapes.
    """
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
