"""Commands that look further into a trained run: those that its family and its data can answer."""

import shlex
from pathlib import Path
from typing import Any

from genjax.cli import program

_LONGEST = 60  # characters of a prompt
# What follows a GAN on the bundled digits: half an hour on two cores; the recipe itself sets sheets
# and scores on the way.
_NEXT = ("--config=wgan_gp_fashion", "--workdir=runs/fashion")


def commands(run: Any, workdir: str | Path) -> list[str]:
    """Returns command lines, each of which the programs accept for this run.

    `workdir` is the run's folder, as the user gave it.
    """
    from genjax import families
    from genjax.core.capabilities import HasWordVectors

    at = (f"--workdir={workdir}", *families.flags(run.config.family))
    found = [program.command("evaluate", *at)]
    shown = _shown(run)
    if shown is not None:
        found.append(program.command("sample", *at, shown))
    if _has_space(run):
        found.append(program.command("latent", *at))
    if isinstance(run.family, HasWordVectors):
        found.append(
            program.command("word_vectors", *at, f"--most_similar={run.dataset.codec.tokens[0]}")
        )
    return [*found, f"tensorboard --logdir={shlex.quote(str(workdir))}"]


def following(run: Any) -> str:
    """Returns the command that trains what makes better pictures; empty where none is known."""
    first = run.config.family == "gan" and run.config.data.name == "digits"
    return program.command("train", *_NEXT) if first else ""


def _shown(run: Any) -> str | None:
    """Returns the flag with which `sample` shows what the model can; None without one."""
    from genjax.core.capabilities import Classifies, Samples, Tags
    from genjax.evaluation import shown
    from genjax.generation.texts import answers

    family, spec = run.family, run.dataset.spec
    number = f"--n={run.config.num_samples}"
    drawn = family.has_prior and isinstance(family, Samples)
    if run.dataset.codec is None:
        return number if drawn and shown.picture(run.config, spec) is not None else None
    if isinstance(family, Tags | Classifies) or (answers(family) and not family.has_prior):
        return f"--prompt={_prompt(run)}"
    return number if drawn else None


def _prompt(run: Any) -> str:
    """Returns the beginning of a test example."""
    from genjax.data.source import first_rows

    text = run.dataset.codec.decode(first_rows(run.dataset.test, 1)[0][0])
    line = " ".join(text.split())
    if len(line) > _LONGEST:
        line = line[:_LONGEST].rpartition(" ")[0] or line[:_LONGEST]
    return line


def _has_space(run: Any) -> bool:
    """Says whether `latent` shows something of the run."""
    import jax

    from genjax.core.capabilities import Decodes, Encodes, Interpolates
    from genjax.core.family import Family

    family: Family = run.family
    spec, model = run.dataset.spec, run.config.model
    if run.dataset.codec is not None:
        return isinstance(family, Interpolates)
    if spec.kind != "image" or not isinstance(family, Decodes):
        return False
    if not isinstance(family, Encodes):
        return bool(model.get("latent_dim", 0))
    inputs = [jax.ShapeDtypeStruct((1, *spec.shape), "float32")]
    if model.get("conditional", False):
        inputs.append(jax.ShapeDtypeStruct((1,), "int32"))
    state = jax.eval_shape(family.init, jax.random.key(0))
    code = jax.eval_shape(family.encode, state, *inputs)
    return code.ndim == 2  # those of flows are like images
