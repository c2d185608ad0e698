"""The training loop: dispatches chunks, and between them reports, evaluates, samples and saves."""

import contextlib
import functools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from genjax import families
from genjax.core.capabilities import Reconstructs, Samples
from genjax.core.family import State, compute_dtype
from genjax.core.files import write_json
from genjax.core.members import by_name, spread
from genjax.data.source import first_rows
from genjax.engine import divergence
from genjax.engine import start as starting
from genjax.engine.best import BestCheckpoint
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.divergence import Diverged
from genjax.engine.hooks import NO_HOOKS, Hooks, Summary
from genjax.engine.interval import SKIPPED, Interval
from genjax.engine.layout import CHECKPOINTS
from genjax.engine.lock import lock
from genjax.engine.opening import announce, check_best, files
from genjax.engine.preemption import Preemption
from genjax.engine.profiling import Clock, Profiler, measured_gemm_rate, parse_profile_steps
from genjax.engine.progress import Progress
from genjax.engine.repair import collect
from genjax.engine.run import Run
from genjax.engine.workdir import check_workdir, write_run
from genjax.engine.writers import Writers, plain

_CHUNK_SECONDS = 5.0  # the longest chunk, once the rate is known
_FIRST_STEPS = 5  # before it is


def train(
    run: Run, workdir: str | Path, *, profile_steps: str = "", hooks: Hooks = NO_HOOKS
) -> Summary:
    """Trains to the end, from the newest complete checkpoint in `workdir` if there is one.

    Args:
      run: from `prepare`.
      workdir: the run's folder; made if need be.
      profile_steps: `a:b`, steps to trace; empty: none.
      hooks: what to draw and how to score samples.

    Raises:
      ConfigError: the workdir is of another config or cannot be written, another process trains in
        it, or no evaluation gives `best_metric`; nothing was written.
      SaveError: a checkpoint could not be written.
      Diverged: training is not finite any more.
    """
    steps = parse_profile_steps(profile_steps)
    check_best(run, hooks)
    folder = Path(workdir).expanduser().absolute()
    with contextlib.ExitStack() as held:
        new = not folder.is_dir()  # a folder that somebody else makes meanwhile is locked as well
        held.enter_context(lock(folder))
        _, before = check_workdir(workdir, run.config, run.dataset, population=run.population)
        preemption = held.enter_context(Preemption())
        begun = functools.partial(
            _Training, run, folder, Profiler(folder, steps), preemption, hooks
        )
        training = begun()  # reads, and so checks, what it goes on from; nothing is written yet
        if jax.process_index() == 0:
            write_run(
                workdir,
                run.config,
                run.dataset,
                before,
                files(run, folder),
                start=training.started_from,
                hold=lambda: held.enter_context(lock(folder)) if new else None,
            )
            families.keep(run.config.family, folder)
            announce(run, hooks.said)
        run.dataset.train.settle(folder, lambda: preemption.requested is not None)
        while True:
            training.open()
            try:
                return training.run_to_end()
            except Diverged:
                if not training.began_too_late():
                    raise
                training.step_back()
            training = begun()


class _Training:
    """One process's part of a run: the effects around the executor's pure programs."""

    def __init__(
        self, run: Run, workdir: Path, profiler: Profiler, preemption: Preemption, hooks: Hooks
    ):
        c = run.config
        self.run, self.config, self.workdir = run, c, workdir
        self.executor, self.total = run.executor, run.total_steps
        self.profiler, self.preemption, self.hooks = profiler, preemption, hooks
        self.clock: Clock = run.executor.clock
        self.checkpoints = Checkpoints(
            workdir / CHECKPOINTS, keep_last=c.keep_checkpoints, keep_every=c.keep_every
        )
        self.best: BestCheckpoint | None = None
        if c.best_metric:
            self.best = BestCheckpoint(workdir, c.best_metric, c.best_mode)
        self.started_from: Mapping[str, Any] = {}
        self._before = divergence.read(workdir)  # while it is a diverged run that goes on
        restored = self.checkpoints.restore(self.executor.template())
        noted = self.checkpoints.note(restored[0]) if restored else {}
        if restored:
            self.step: int = restored[0]
            self.state: State = self.executor.from_checkpoint(self.executor.with_rates(restored[1]))
            message = divergence.goes_on_with(self._before, c) if self._before else ""
            logging.info("Resumed from step %d%s", self.step, message)
        else:
            begun = starting.begin(c, self.executor, self.total)
            self.step, self.state = begun.step, self.executor.init(begun.leaves)
            self.started_from = begun.record
        self.saved_step = self.step if restored else None
        self.first_step, self._resumed = self.step, bool(restored)
        # (last step, steps, metrics) of the chunk whose metrics are still on the device
        self._pending: tuple[int, int, Any] | None = None
        self._interval = Interval.resumed(noted.get("interval"), self.step, c.log_every)
        self._warned = False
        self._marks: list[tuple[float, int]] = []  # (training seconds, step) of fetched chunks
        self.evaluation: dict[str, Any] = {}

    def open(self) -> None:
        """Opens what is written to, once all is checked and the folder is that of the run."""
        main = jax.process_index() == 0
        if main:
            carried = collect(self.workdir)
            self.checkpoints.carried = carried
            if self.best:
                self.best.carry(carried)
        members = self.executor.num_members
        self.writers = Writers(
            self.workdir, enabled=main, start_step=self.step, num_members=members
        )
        self.progress = Progress(self.total, self.step, enabled=main)

    def run_to_end(self) -> Summary:
        try:
            while self.step < self.total and not self.preemption.agreed():
                self.writers.check()
                self._advance()
                self._at_boundaries()
            self._drain()
            if self.step >= self.total:
                self._finish()
            self._save()
            with self.clock("host"):
                self.checkpoints.wait()
                if self.best:
                    self.best.wait()
            self.writers.check()
            if jax.process_index() == 0:
                (self.workdir / divergence.RECORD).unlink(missing_ok=True)
            return self._summary()
        finally:
            self.profiler.close()
            self.writers.close()
            self.progress.close()
            if self.best:
                self.best.close()
            self.checkpoints.close()

    def _advance(self) -> None:
        """Dispatches the next chunk, then looks at the one before: the device never waits."""
        c = self.config
        ends = [self.total] + [
            (self.step // every + 1) * every
            for every in (c.log_every, c.eval_every, c.sample_every, c.checkpoint_every)
            if every
        ]
        n = min(self._chunk(), min(ends) - self.step)
        self.profiler.before(self.step, self.step + n)
        self.state, metrics = self.executor.run(self.state, self.step, n)
        self.step += n
        self.profiler.after(self.step, metrics)
        if self._pending is None and self.step - n == self.first_step:
            self.checkpoints.warm_up()  # not before: its import would hold up the first step
        previous, self._pending = self._pending, (self.step, n, metrics)
        self._fetch(previous)

    def _chunk(self) -> int:
        """Returns the most steps of the next chunk: few seconds of them, as a signal waits for two.

        Processes must agree on it, so that several make all chunks as long as they may be.
        """
        most = self.executor.chunk
        if jax.process_count() > 1:
            return most
        if len(self._marks) < 2:
            return min(most, _FIRST_STEPS)
        return max(1, min(most, int(_CHUNK_SECONDS * self._rate())))

    def _rate(self) -> float:
        """Returns steps a second since the first chunk, which waits for the compilation."""
        (t0, step0), (t1, step1) = self._marks
        return (step1 - step0) / max(t1 - t0, 1e-9)

    def _drain(self) -> None:
        previous, self._pending = self._pending, None
        self._fetch(previous)

    def _fetch(self, pending: tuple[int, int, Any] | None) -> None:
        """Reads a chunk's metrics; at a log interval's end, writes their mean."""
        if pending is None:
            return
        step, n, metrics = pending
        with self.clock("device"):
            metrics = jax.device_get(metrics)
        self._marks = [*self._marks[:1], (self.clock.training_seconds(), step)]
        metrics = {name: values[..., :n] for name, values in metrics.items()}
        self._check_finite(metrics, step - n)
        self._interval.add(metrics)
        shown = None
        if step % self.config.log_every == 0 or step == self.total:
            shown = self._report(step)
        self.progress.update(step, shown)

    def _report(self, step: int) -> dict[str, float]:
        """Writes the interval's means, and begins the next one."""
        interval, self._interval = self._interval, Interval(step)
        means = interval.means()
        self.writers.scalars(step, {f"train/{k}": plain(v) for k, v in means.items()})
        if np.all(means.get(SKIPPED, 0.0) == 1):
            steps = f"steps {interval.since + 1} to {step}"
            raise self._diverged(f"no update in {steps} was finite, so that all were skipped", step)
        return {name: spread(value).mean for name, value in means.items()}

    def _at_boundaries(self) -> None:
        c = self.config

        def due(every: int) -> bool:
            return bool(every) and self.step % every == 0 and self.step < self.total

        if due(c.eval_every) or due(c.sample_every) or due(c.checkpoint_every):
            self._drain()
        if due(c.eval_every):
            self._evaluate()
        if due(c.sample_every):
            self._draw()
        if due(c.checkpoint_every):
            self._save()

    def _finish(self) -> None:
        """Evaluates and samples at the end; not again where the run was through already."""
        if self.first_step < self.total:
            self._evaluate()
            self._draw()

    def _evaluate(self) -> None:
        with self.clock("evaluation"):
            means = self.executor.evaluate(self.state)
            self.evaluation = {name: plain(value) for name, value in means.items()}
            if self.hooks.scorer:
                number, labels = self.config.eval_num_samples, self.hooks.labels()
                samples = self.executor.sample(self.state, number, labels)
                self.evaluation |= self._judge(samples)
        self.writers.scalars(self.step, {f"eval/{k}": v for k, v in self.evaluation.items()})
        if self.best:
            self._keep_if_best(self.best)

    def _judge(self, samples: np.ndarray) -> dict[str, Any]:
        """Scores samples (n, …), or each member's of a population (members, n, …)."""
        if self.hooks.scorer is None or jax.process_index() != 0:
            return {}
        if not self.executor.num_members:
            return dict(self.hooks.scorer(samples))
        return by_name([self.hooks.scorer(s) for s in samples])

    def _keep_if_best(self, kept: BestCheckpoint) -> None:
        """Offers the state, with the mean over the members of a population that are finite."""
        value = np.asarray(self.evaluation.get(self.config.best_metric, np.nan))
        mean = spread(value).mean
        with self.clock("evaluation"):
            if jax.process_count() == 1:
                kept.offer(self.step, mean, self._sound_state)
                return
            # One save at a time: orbax names the barriers of processes by their order.
            self.checkpoints.wait()
            kept.offer(self.step, mean, self._sound_state)
            kept.wait()

    def _draw(self) -> None:
        family = self.run.family
        own = family.reconstruct if isinstance(family, Reconstructs) else None
        outputs = self.hooks.outputs or own
        if self.hooks.pairs and outputs and not family.has_prior:
            with self.clock("evaluation"):
                found = self.executor.apply(outputs, self.state, self._held_out)
            found = found[0] if self.executor.num_members else found
            self._show("reconstructions", self.hooks.pairs(self._held_out, found))
        elif self.hooks.picture and isinstance(family, Samples):
            with self.clock("evaluation"):
                samples = self.executor.sample(self.state, self.config.num_samples)
            samples = samples[0] if self.executor.num_members else samples
            self._show("samples", self.hooks.picture(samples))

    def _show(self, tag: str, shown: np.ndarray | str) -> None:
        if isinstance(shown, str):
            self.writers.text(self.step, tag, shown)
        else:
            self.writers.images(self.step, tag, shown)

    @functools.cached_property
    def _held_out(self) -> np.ndarray:
        """The examples whose reconstructions are shown."""
        return first_rows(self.run.dataset.in_training().test, self.config.num_samples)[0]

    def _save(self) -> None:
        """Saves the state, unless this step is saved already."""
        if self.saved_step == self.step:
            return
        self.writers.check()
        with self.clock("evaluation"):
            note = {"interval": self._interval.note()} if self._interval.steps else {}
            self.checkpoints.save(self.step, self._sound_state(), note=note)
        self.saved_step = self.step

    def _sound_state(self) -> State:
        """Returns the state as checkpoints hold it; one that is not finite is never saved."""
        if not self.executor.all_finite(self.state):
            raise self._diverged(f"the state is not finite at step {self.step}", self.step)
        return self.executor.to_checkpoint(self.state)

    def _check_finite(self, metrics: Mapping[str, np.ndarray], before: int) -> None:
        """Raises `Diverged` at a metric that is not finite; `before`: the steps made before these.

        Of a population only once no member is finite.
        """
        finite = {name: np.isfinite(x).reshape(-1, x.shape[-1]) for name, x in metrics.items()}
        bad = [name for name, x in finite.items() if not x.all()]
        if not bad:
            return
        sound = np.logical_and.reduce([*finite.values()])  # (members or 1, steps)
        first = before + 1 + int(np.argmin(sound.all(0)))
        if not sound.all(1).any():
            raise self._diverged(f"{', '.join(bad)} not finite at step {first}", first)
        if not self._warned:
            logging.warning("Some members are not finite at step %d; the others go on", first)
        self._warned = True

    def _diverged(self, what: str, step: int) -> Diverged:
        self.checkpoints.wait()
        steps = self.checkpoints.steps()
        kept = "there is no checkpoint yet (see checkpoint_every)"
        if steps:
            kept = f"the last good checkpoint is {self.checkpoints.directory / str(steps[-1])}"
        if jax.process_index() == 0:
            rates = divergence.rates(self.config)
            first = self._before["step"] if self._before else 0
            record = {"what": what, "step": max(first, step), "rates": rates}
            with contextlib.suppress(OSError):  # it is about to be told anyway
                write_json(self.workdir / divergence.RECORD, record)
        message = f"training diverged: {what}; {kept}"
        return Diverged(message, divergence.lower_rates(self.config))

    def began_too_late(self) -> bool:
        """Says whether it diverged once more, and no checkpoint lies beyond the first time.

        Then the one that it began from is finite, but of a time when that was under way.
        """
        first_time = self._before["step"] if self._before else -1
        return self._resumed and self.first_step > 0 and (self.saved_step or 0) <= first_time

    def step_back(self) -> None:
        """Sets aside the checkpoint that it began from, and later ones; an earlier is newest."""
        steps = self.checkpoints.steps()
        if jax.process_index() == 0:
            for step in (s for s in steps if s >= self.first_step):
                path = self.checkpoints.directory / str(step)
                aside = path.with_name(f"{path.name}.diverged")
                shutil.rmtree(aside, ignore_errors=True)
                path.rename(aside)
        earlier = [step for step in steps if step < self.first_step]
        then = f"step {earlier[-1]}" if earlier else "the start"
        aside = self.checkpoints.directory / f"{self.first_step}.diverged"
        logging.warning("It diverges from there as well: back to %s; %s is left aside", then, aside)

    def _summary(self) -> Summary:
        summary = Summary(
            self.step,
            self.total,
            self.first_step,
            evaluation=self.evaluation,
            seconds=self.clock.summary(),
            signal=self.preemption.requested if self.step < self.total else None,
        )
        summary.best = self.best.best if self.best else None
        if len(self._marks) == 2 and summary.signal is None:
            summary.steps_per_second = self._rate()
            summary.flops_per_second = self.executor.step_flops() * summary.steps_per_second
            summary.gemm_rate = measured_gemm_rate(compute_dtype(self.config.precision))
        return summary
