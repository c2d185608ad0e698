"""What the programs that train share: several processes, and how a run may end."""

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import program
from genjax.core.config import ConfigError
from genjax.engine.peers import Peers


def define_distributed(values: flags.FlagValues) -> None:
    """Defines the flags of a run over several processes."""
    text: Any = {"flag_values": values}
    flags.DEFINE_string(
        "coordinator_address",
        "",
        "HOST:PORT of process 0, of a run over several processes.",
        **text,
    )
    flags.DEFINE_integer("num_processes", None, "How many processes the run has.", 1, **text)
    flags.DEFINE_integer("process_id", None, "The number of this process.", 0, **text)
    flags.DEFINE_bool(
        "distributed",
        None,
        "Join the processes of a cluster job (Slurm, GKE, TPU pods). "
        "By default if there is one around this process.",
        **text,
    )


def start_jax(values: Any, again: str) -> Peers:
    """Turns the compilation cache on, and joins this process with the others of its run, if any.

    Args:
      values: the flags of `define_distributed`, and `workdir`.
      again: the command that resumes the run, for those that are left when a process dies.

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

    def tell(what: str) -> None:
        program.say(f"{what}; {saved(values.workdir)}; start all again, this one with:")
        print(f"  {again}", file=sys.stderr, flush=True)

    peers = Peers(tell)
    wanted = values.distributed if values.distributed is not None else in_cluster(os.environ)
    if given or wanted:
        try:
            peers.join(given)
        except (RuntimeError, ValueError) as error:
            flag = "--coordinator_address" if given else "--distributed"
            where = given.get("coordinator_address", "of this cluster")
            raise ConfigError(f"{flag}: cannot join the processes {where} ({error})") from error
    from genjax.engine.compilation_cache import enable_compilation_cache

    enable_compilation_cache()
    return peers


def in_cluster(env: Any) -> bool:
    """Says whether this is one of several processes of a job that `jax.distributed` finds."""
    if int(env.get("SLURM_STEP_NUM_TASKS", "1")) > 1:  # set by srun only, not by sbatch
        return True
    if "," in env.get("TPU_WORKER_HOSTNAMES", env.get("TPU_PROCESS_ADDRESSES", "")):  # GKE
        return True
    if "KUBERNETES_SERVICE_HOST" in env and "JOB_COMPLETION_INDEX" in env:  # an indexed job
        return find_spec("kubernetes") is not None
    on_tpu_vm = any(Path("/dev").glob("accel*")) and find_spec("libtpu") is not None
    return on_tpu_vm and "TPU_SKIP_MDS_QUERY" not in env


def train(
    run: Any,
    workdir: str | Path,
    command: str,
    profile_steps: str = "",
    *,
    said: Sequence[str] = (),
    if_diverged: str = "",
    peers: Peers | None = None,
) -> tuple[int, Any]:
    """Trains, and says in one line on standard error if it ends before its end.

    Args:
      run: from `genjax.engine.run.prepare`.
      workdir: the run's folder.
      command: what resumes it.
      profile_steps: see `genjax.engine.loop.train`.
      said: lines that come first, once all is checked.
      if_diverged: what to do then; by default to resume `command` with lower learning rates.
      peers: the other processes of the run.

    Raises:
      ConfigError: as `genjax.engine.loop.train`, or `eval_metrics` do not go with the data.

    Returns:
      The exit status, and the `Summary` where the run is through or was stopped by a signal.
    """
    from jax.errors import JaxRuntimeError

    from genjax.engine import loop
    from genjax.engine.checkpoints import SaveError
    from genjax.engine.divergence import Diverged
    from genjax.evaluation.shown import hooks

    shown = hooks(run)._replace(said=tuple(said))
    try:
        summary = loop.train(run, workdir, profile_steps=profile_steps, hooks=shown)
    except Diverged as error:
        _say_diverged(error, command, if_diverged)
        return program.DIVERGED, None
    except (SaveError, OSError) as error:
        if peers:
            peers.settle()  # a save fails where a process that has a part in it is gone
        program.say(f"{error}; {saved(workdir)}")
        return program.BAD, None
    except JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        size = f"config.batch_size={run.config.batch_size}"
        program.say(f"{size}: the device's memory is full; must be smaller; {saved(workdir)}")
        return program.BAD, None
    if summary.signal is None:
        return program.DONE, summary
    if is_main_process():
        name = signal.Signals(summary.signal).name
        where = f"at step {summary.step} of {summary.total_steps}"
        program.say(f"stopped by {name} {where}; {saved(workdir)}; resume with:")
        print(f"  {command}", file=sys.stderr, flush=True)
    return program.STOPPED, summary


def _say_diverged(error: Any, command: str, advice: str) -> None:
    """Says that a run diverged, and how to go on."""
    if advice or not is_main_process():
        program.say(f"{error}; {advice}" if advice else error)
        return
    rates = {f"--config.{field}": value for field, value in error.rates.items()}
    words: list[str] = []
    skip = False  # the value of a flag, as a word of its own
    for word in shlex.split(command):
        flag, equals, _ = word.partition("=")
        if not skip and flag not in rates:
            words.append(word)
        skip = not skip and flag in rates and not equals
    lower = shlex.join([*words, *(f"{flag}={value}" for flag, value in rates.items())])
    program.say(f"{error}; go on with a lower learning rate:")
    print(f"  {lower}", file=sys.stderr, flush=True)


def num_processes() -> int:
    """Returns that of the run."""
    import jax

    return jax.process_count()


def is_main_process() -> bool:
    """Says whether this is process 0, the one that prints."""
    import jax

    return jax.process_index() == 0


def saved(workdir: str | Path) -> str:
    """Says what is left to go on from."""
    from genjax.engine.checkpoints import Checkpoints
    from genjax.engine.layout import CHECKPOINTS

    folder = Path(workdir).expanduser().absolute() / CHECKPOINTS
    steps = Checkpoints(folder).steps()
    return f"the newest checkpoint is {folder / str(steps[-1])}" if steps else "nothing is saved"
