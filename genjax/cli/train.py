"""Trains a recipe; the same command again resumes the run.

    genjax train --config=NAME --workdir=DIR [--config.FIELD=VALUE …]

Exit status: 0 done; 2 bad configuration or data, or a checkpoint that cannot be written;
3 training diverged; 143 stopped by SIGTERM, SIGINT or SIGHUP (a terminal that hangs up), with a
checkpoint written, or because another process of the run is gone (the newest checkpoint is there).
Standard output and standard error that are closed, full or broken change nothing.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import advice, launch, program
from genjax.core.config import ConfigError, fail


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The run's folder; resumed if there is a run in it.", **text)
    flags.DEFINE_string("profile_steps", "", "a:b traces the steps a … b-1.", **text)
    launch.define_distributed(values)


def _train(argv: list[str]) -> int:
    said: list[str] = []
    values, config = program.parse_with_config(argv, __doc__, _define, said)
    again = program.command("train", *argv)
    with launch.start_jax(values, again) as peers:
        status = _train_joined(values, config, again, said, peers)
        peers.left(status, alone=status == program.BAD)
    return status


def _train_joined(values: Any, config: Any, again: str, said: Sequence[str], peers: Any) -> int:
    from genjax.engine.profiling import parse_profile_steps
    from genjax.engine.run import prepare

    if launch.num_processes() > 1 and config.executor != "sharded":
        raise fail("executor", config.executor, "a run over several processes must be sharded")
    steps = parse_profile_steps(values.profile_steps)
    run = prepare(config, values.workdir)
    if steps and steps[0] >= run.total_steps:
        raise ConfigError(
            f"--profile_steps={values.profile_steps}: must begin before the run's end, "
            f"step {run.total_steps}"
        )
    status, summary = launch.train(
        run, values.workdir, again, values.profile_steps, said=said, peers=peers
    )
    if status == program.DONE and launch.is_main_process():
        print(report(run, values.workdir, summary), flush=True)
    return status


def report(run: Any, workdir: str, summary: Any) -> str:
    """Describes the end of a run: numbers, where the time went, where to look further."""
    from genjax.engine.writers import last_evaluation
    from genjax.evaluation.report import table

    config = run.config
    numbers = summary.evaluation or last_evaluation(Path(workdir).expanduser())
    parts = [
        table(
            {"eval": numbers}, title=f"{config.family} on {config.data.name}, step {summary.step}"
        )
    ]
    if summary.step > summary.first_step:
        seconds = {f"{n} (s)": round(v, 2) for n, v in summary.seconds.items()}
        rates: dict[str, Any] = {}
        if summary.steps_per_second:  # not of a run of a single chunk
            rates["steps/s"] = summary.steps_per_second
        if summary.flops_per_second and summary.gemm_rate:
            share = summary.flops_per_second / summary.gemm_rate
            rates["GFLOP/s"] = f"{summary.flops_per_second / 1e9:.4g}"
            rates["GEMM rate"] = f"{summary.gemm_rate / 1e9:.4g} GFLOP/s, of which {share:.0%}"
        parts.append(table(seconds | rates, title="Time"))
    else:
        parts.append("The run is through: nothing was left to do.")
    if summary.best:
        metric, value, step = summary.best
        members = run.executor.num_members
        what = f"{metric} (mean of {members} members)" if members > 1 else metric
        parts.append(f"Best {what}: {value:.4g} at step {step}; evaluate or sample: --step=best")
    commands = advice.commands(run, workdir)
    parts.append("Look further:\n" + "\n".join(f"  {c}" for c in commands))
    if command := advice.following(run):
        what = "Next, better pictures in half an hour, with sheets and validation on the way"
        parts.append(f"{what}:\n  {command}")
    return "\n\n".join(parts)


main = functools.partial(program.run, _train, trains=True)
