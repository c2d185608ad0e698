"""Makes a run of its own of one member of a population, or of a sweep's best.

    genjax extract-member --workdir=RUN --member=K --out=NEW
    genjax extract-member --workdir=SWEEP --best --out=NEW

RUN is a run with several seeds, a group of a sweep, or the folder of a sweep, whose members have
the numbers of its table. NEW has its config, tokenizer, metrics and checkpoints: it is evaluated,
sampled and resumed like any single run, and others start from it (`--config.start.workdir=NEW`).
"""

import functools
from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import program
from genjax.core.config import ConfigError
from genjax.evaluation import groups as sweeps


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The folder of a population or a sweep.", **text)
    flags.DEFINE_integer("member", None, "Its number.", 0, **text)
    flags.DEFINE_bool("best", False, "The best one by config.best_metric, or its loss.", **text)
    flags.DEFINE_string("out", "", "The folder of the new run.", **text)


def _extract(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    if not values.out:
        raise ConfigError("--out: missing; must be the new run's folder, as in --out=runs/best")
    if (values.member is None) != values.best:
        given = f"={values.member}: not beside --best" if values.best else ": missing"
        raise ConfigError(f"--member{given}; must be a member's number, or --best alone")
    from genjax import families
    from genjax.engine.compilation_cache import enable_compilation_cache
    from genjax.engine.members import extract

    swept = sweeps.read(values.workdir)
    groups = swept or [_population(values.workdir)]
    group, member, said = sweeps.pick(groups, values.member)
    if values.best and not sweeps.criterion(group.config, sweeps.names(sweeps.rows(groups)))[0]:
        raise ConfigError("--best: no number of the evaluations says which is; give --member")
    if swept:
        sweeps.check_begun(values.workdir, [group])
    enable_compilation_cache()
    config = extract(group.folder, member, Path(values.out).expanduser().absolute())
    print(said)
    at = [f"--workdir={values.out}", *families.flags(config.family)]
    print(f"  {program.command('evaluate', *at)}")
    record = Path(values.out) / "config.json"
    print(f"  {program.command('train', f'--config={record}', *at)}")
    return program.DONE


def _population(workdir: str) -> sweeps.Group:
    """Reads a population that is no sweep as a group of one."""
    from genjax.engine.members import seeds_of
    from genjax.engine.workdir import read_config, read_population

    config = read_config(workdir)
    if config.executor != "vmap":
        raise ConfigError(f"--workdir={workdir}: is a single run; must be a population or a sweep")
    folder = Path(workdir).expanduser().absolute()
    found = read_population(folder)
    numbers = found.get("hyperparameters", {})
    return sweeps.Group(folder, config, {}, seeds_of(config, found), numbers)


main = functools.partial(program.run, _extract)
