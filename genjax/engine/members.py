"""A member of a population as a run of its own, which goes on as a single run."""

from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.engine.checkpoints import Checkpoints, SaveError
from genjax.engine.layout import CHECKPOINTS, CONFIG, KEPT, POPULATION
from genjax.engine.repair import CARRIED, collect
from genjax.engine.run import prepare
from genjax.engine.workdir import check_workdir, read_config, read_population, write_run
from genjax.engine.writers import METRICS, read_metrics, write_metrics


def seeds_of(config: ConfigDict, population: dict[str, Any]) -> list[int]:
    """Lists the seed of each member, from a population's config and `read_population`."""
    usual = range(config.seed, config.seed + config.num_seeds)
    return list(population.get("seeds", usual))


def extract(workdir: Path, member: int, out: Path) -> ConfigDict:
    """Writes the run of one member into a new folder: config, tokenizer, metrics, checkpoints.

    Its config is that of a single run with the member's seed and numbers, so that the same steps
    follow as in the population, up to rounding.

    Args:
      workdir: of the population; only its complete checkpoints count.
      member: its number.
      out: the new run's folder; made if need be.

    Returns:
      The new run's config.

    Raises:
      ConfigError: there is no such population or member, `out` holds a run, or cannot be written.
    """
    config, population = read_config(workdir), read_population(workdir)
    if config.executor != "vmap":
        raise ConfigError(f"--workdir={workdir}: is a single run; must be a population or a sweep")
    seeds = seeds_of(config, population)
    if not 0 <= member < len(seeds):
        raise ConfigError(f"--member={member}: must be below the number of members, {len(seeds)}")
    numbers = {n: v[member] for n, v in population.get("hyperparameters", {}).items()}
    one = config.copy_and_resolve_references().unlock()
    single = {"executor": "scan", "num_seeds": 1, "seed": seeds[member]}
    one.update_from_flattened_dict(numbers | single)
    one.lock()
    many, run = prepare(config, workdir, use=True, **population), prepare(one, workdir, use=True)
    template = run.executor.template()
    before, whole = Checkpoints(workdir / CHECKPOINTS), many.executor.template()
    newest = before.restore(whole)  # before anything is written
    if newest is None:
        raise ConfigError(f"--workdir={workdir}: has no complete checkpoint")
    path, there = check_workdir(out, one, run.dataset, resume=False, given_by="--out")
    kept = [name for name in CARRIED if name not in (CONFIG, POPULATION)] + [*KEPT]
    others = {name: (workdir / name).read_bytes() for name in kept if (workdir / name).exists()}
    record = {"workdir": str(workdir), "member": member, "what": "member"}
    write_run(out, one, run.dataset, there, others, start=record)
    after = Checkpoints(path / CHECKPOINTS, keep_last=len(before.steps()))
    after.carried = collect(path)
    try:
        for step in before.steps():
            state = newest[1] if step == newest[0] else before.restore_step(whole, step)
            note = _of_member(before.note(step), member)
            after.save(step, _single(state, member, template), wait=True, note=note)
    except SaveError as error:
        raise ConfigError(str(error)) from error
    finally:
        before.close()
        after.close()
    rows = read_metrics(workdir / METRICS)
    write_metrics(path / METRICS, [_row(row, member) for row in rows])
    return one


def _single(state: Any, member: int, template: Any) -> Any:
    """Takes a member's state, in the containers of a single run's.

    Those differ where a number is 0 for this member alone: its optimizer then lacks a part that has
    no arrays.
    """
    own = jax.tree.map(lambda x: x[member], state.replace(step=None)).replace(step=state.step)
    found, wanted = jax.tree.leaves(own), jax.tree.leaves(template)
    if [x.shape for x in found] != [x.shape for x in wanted]:
        raise ConfigError(f"--member={member}: its state is not that of a single run")
    return jax.tree.unflatten(jax.tree.structure(template), found)


def _of_member(note: dict[str, Any], member: int) -> dict[str, Any]:
    """Takes a member's part of what was noted with a checkpoint: sums of the log interval."""
    interval = note.get("interval")
    if not interval:
        return {}
    sums = {name: values[member] for name, values in interval["sums"].items()}
    return {"interval": interval | {"sums": sums}}


def _row(row: dict[str, Any], member: int) -> dict[str, Any]:
    return {n: v[member] if isinstance(v, list) else v for n, v in row.items()}
