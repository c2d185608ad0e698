"""Trains a recipe; the same command again resumes the run.

    python -m experiments.train --config=configs/NAME.py --workdir=DIR [--config.FIELD=VALUE …]

Exit status: 0 done; 2 bad configuration or data, or a checkpoint that cannot be written;
3 training diverged; 143 stopped by SIGTERM or SIGINT, with a checkpoint written.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import program
from genjax.core.config import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Trains; returns the exit status."""
    return program.run(_train, argv)


def define_distributed(values: flags.FlagValues) -> None:
    """Flags of a run over several processes."""
    text = {"flag_values": values}
    flags.DEFINE_string(
        "coordinator_address", "", "HOST:PORT of process 0, of a run over several processes.", **text
    )
    flags.DEFINE_integer("num_processes", None, "How many processes the run has.", 1, **text)
    flags.DEFINE_integer("process_id", None, "The number of this process.", 0, **text)
    flags.DEFINE_bool(
        "distributed", None, "Join the processes of a cluster job (Slurm, GKE, TPU pods). "
        "By default if there is one around this process.", **text,
    )  # fmt: skip


def start_jax(values: Any) -> None:
    """Compilation cache on, and this process joined with the others of its run, if any.

    Raises:
      ConfigError: some of the three distributed flags are missing, or the others not reached.
    """
    three = ("coordinator_address", "num_processes", "process_id")
    given = {name: values[name].value for name in three if values[name].value not in ("", None)}
    if given and len(given) < 3:
        missing = ", ".join(f"--{name}" for name in three if name not in given)
        first = next(iter(given))
        raise ConfigError(f"--{first}={given[first]}: needs {missing} as well")
    if given and given["process_id"] >= given["num_processes"]:
        n = given["num_processes"]
        raise ConfigError(f"--process_id={given['process_id']}: must be below --num_processes={n}")
    wanted = values.distributed if values.distributed is not None else _in_cluster(os.environ)
    if given or wanted:
        import jax

        try:
            jax.distributed.initialize(**given)
        except (RuntimeError, ValueError) as error:
            flag = "--coordinator_address" if given else "--distributed"
            where = given.get("coordinator_address", "of this cluster")
            raise ConfigError(f"{flag}: cannot join the processes {where} ({error})") from error
    from genjax.engine.cache import enable_compilation_cache

    enable_compilation_cache()


def _in_cluster(env: Any) -> bool:
    """Whether this is one of several processes of a job that `jax.distributed` finds by itself."""
    if int(env.get("SLURM_STEP_NUM_TASKS", "1")) > 1:  # set by srun only, not by sbatch
        return True
    if "," in env.get("TPU_WORKER_HOSTNAMES", env.get("TPU_PROCESS_ADDRESSES", "")):  # GKE
        return True
    if "KUBERNETES_SERVICE_HOST" in env and "JOB_COMPLETION_INDEX" in env:  # an indexed job
        return find_spec("kubernetes") is not None
    on_tpu_vm = any(Path("/dev").glob("accel*")) and find_spec("libtpu") is not None
    return on_tpu_vm and "TPU_SKIP_MDS_QUERY" not in env


def _define(values: flags.FlagValues) -> None:
    text = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The run's folder; resumed if there is a run in it.", **text)
    flags.DEFINE_string("profile_steps", "", "a:b traces the steps a … b-1.", **text)
    define_distributed(values)


def _train(argv: list[str]) -> int:
    values, config = program.parse(argv, __doc__, _define, needs_config=True)
    start_jax(values)
    from genjax.cli import showing
    from genjax.engine import loop
    from genjax.engine.profiling import parse_profile_steps

    steps = parse_profile_steps(values.profile_steps)
    run = loop.prepare(config)
    if steps and steps[0] >= run.total_steps:
        raise ConfigError(
            f"--profile_steps={values.profile_steps}: the run ends at step {run.total_steps}"
        )
    spec = run.dataset.spec
    hooks = loop.Hooks(showing.picture(config, spec), showing.judge(config))
    try:
        summary = loop.train(run, values.workdir, profile_steps=values.profile_steps, hooks=hooks)
    except loop.Diverged as error:
        program.say(error)
        return program.DIVERGED
    except (loop.SaveError, OSError) as error:
        program.say(f"{error}; {saved(values.workdir)}")
        return program.BAD
    import jax

    if jax.process_index() == 0:
        if summary.signal is None:
            print(report(run, values.workdir, summary), flush=True)
        else:
            print(stopped(values.workdir, summary, _same_command(argv)), file=sys.stderr, flush=True)
    return program.DONE if summary.signal is None else program.STOPPED


def saved(workdir: str) -> str:
    """What is left to go on from, for a message."""
    from genjax.engine.checkpoints import Checkpoints
    from genjax.engine.workdir import CHECKPOINTS

    folder = Path(workdir).expanduser().absolute() / CHECKPOINTS
    steps = Checkpoints(folder).steps()
    return f"the newest checkpoint is {folder / str(steps[-1])}" if steps else "nothing is saved"


def stopped(workdir: str, summary: Any, command: str) -> str:
    """Tells that a signal ended the run, what is saved, and how to go on."""
    import signal

    name = signal.Signals(summary.signal).name
    where = f"at step {summary.step} of {summary.total_steps}"
    return f"Stopped by {name} {where}; {saved(workdir)}. Resume with:\n  {command}"


def _same_command(argv: Sequence[str]) -> str:
    return program.command("train", *argv)


def report(run: Any, workdir: str, summary: Any) -> str:
    """The end of a run for its reader: numbers, where the time went, where to look further."""
    from genjax.evaluation.report import table

    config = run.config
    numbers = summary.evaluation or _last_evaluation(workdir)
    parts = [table(numbers, title=f"{config.family} on {config.data.name}, step {summary.step}")]
    if summary.steps_per_second:
        seconds = {f"{n} (s)": round(v, 2) for n, v in summary.seconds.items()}
        rates: dict[str, Any] = {"steps/s": summary.steps_per_second}
        if summary.flops_per_second and summary.gemm_rate:
            share = summary.flops_per_second / summary.gemm_rate
            rates["GFLOP/s"] = f"{summary.flops_per_second / 1e9:.4g}"
            rates["GEMM rate"] = f"{summary.gemm_rate / 1e9:.4g} GFLOP/s, of which {share:.0%}"
        parts.append(table(seconds | rates, title="Time"))
    else:
        parts.append("The run is through: nothing was left to do.")
    at = f"--workdir={workdir}"
    commands = [
        program.command("evaluate", at),
        program.command("sample", at, f"--n={config.num_samples}"),
        f"tensorboard --logdir={shlex.quote(str(workdir))}",
    ]
    return "\n\n".join([*parts, "Look further:\n" + "\n".join(f"  {c}" for c in commands)])


def _last_evaluation(workdir: str) -> dict[str, Any]:
    from genjax.engine.writers import METRICS, read_metrics

    rows = read_metrics(Path(workdir).expanduser() / METRICS)
    rows = [r for r in rows if any(n.startswith("eval/") for n in r)]
    last = rows[-1] if rows else {}
    return {n.removeprefix("eval/"): v for n, v in last.items() if n.startswith("eval/")}
