"""An executor runs the training step of a family: here on one device, scanned or looped.

A chunk of steps is one program: batches are planned, then a device loop fetches a batch and applies
the step. On CPU the loop is of a dynamic number of steps: one compiled program serves every chunk
length, the last partial chunk included. An accelerator would wait for the host to read the loop's
condition after each step: there full chunks have a program of their own, of a known length.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax.core.draws import draw, pass_size
from genjax.core.family import Family, State
from genjax.core.random import data_key, keys_of_steps, known_key, sample_key
from genjax.data.source import Dataset
from genjax.engine import placement, step_metrics
from genjax.engine.leaves import replaced
from genjax.engine.profiling import Clock, flops_of_function
from genjax.engine.sound import all_finite, sound_step
from genjax.ops.platform import lowering, matmul_precision, traced_for

_MAX_CHUNK = 200  # steps; a longer one saves nothing more and delays signals
_MAX_STREAM_CHUNK_BYTES = 64 * 2**20


class Executor:
    """Runs a family on a data set: one member on one device (`scan`, `loop`).

    Attributes:
      chunk: the most steps that one call of `run` makes.
      num_members: of a population; 0 for a single run.
      hyperparameters: those that members of a population were given, by config field.
      clock: counts compiling and waiting for streamed data.
      devices: to run on; None: those that there are. Of others programs are only made.
    """

    num_members = 0
    hyperparameters: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        family: Family,
        dataset: Dataset,
        config: ConfigDict,
        devices: Sequence[jax.Device] | None = None,
    ):
        self.family, self.dataset, self.config = family, dataset, config
        self.devices = devices
        self.chunk = 1 if config.executor == "loop" else chunk_length(config, family, dataset)
        self.clock = Clock()
        self._place()
        self._programs: dict[bool, Any] = {}  # by whether they make whole chunks only
        self._shapes: Any = None
        self._test: Any = None
        self._stream: Iterator[Any] | None = None
        self._stream_step = -1

    # What a placement decides.

    def _place(self) -> None:
        device = (self.devices or jax.local_devices())[0]
        self._replicated: Any = jax.sharding.SingleDeviceSharding(device)

    def _jit(self, f: Any, *, returns_state: bool = False, **options: Any) -> Any:
        """Makes `f(state, *arrays)` a program of `(state, arrays)`.

        Where `f` returns a state (and metrics), the state that it is given is donated.
        """
        options["donate_argnums"] = 0 if returns_state else ()
        return jax.jit(self._precise(f), **options)

    def _precise(self, f: Any) -> Any:
        """Makes `f(state, *arrays)` a function of `(state, arrays)` in the config's precision."""

        def precise(state: State, arrays: Any) -> Any:
            with matmul_precision(self.config.matmul_precision):
                return f(state, *arrays)

        return precise

    def _rows(self, batch: Any, batch_axis: int) -> Any:
        """Takes the rows of a global batch that a step sees, inside the program."""
        return batch

    def _rows_sharding(self, batch_axis: int) -> Any:
        """Returns where streamed batches lie."""
        return self._replicated

    def _shard_rows(self, xs: Any, batch_axis: int) -> Any:
        """Puts streamed host arrays on the device."""
        return self._put(xs)

    def _local_rows(self) -> slice:
        """Returns the rows of a global batch that this process streams."""
        return slice(0, self.family.batch_shape[-1])

    def _state_sharding(self, shapes: Any) -> Any:
        return jax.tree.map(lambda _: self._replicated, shapes)

    def _new_state(self) -> State:
        return self.family.init(jax.random.key(self.config.seed))

    def to_checkpoint(self, state: State) -> State:
        """Returns the state as checkpoints hold it, the same for all executors of one member."""
        return state

    def from_checkpoint(self, state: State) -> State:
        """Inverts `to_checkpoint`."""
        return state

    def with_rates(self, state: State) -> State:
        """Gives a state of a checkpoint the learning rates of the config.

        They are its own already, unless the run had diverged and goes on with others.
        """
        opt_state = dict(state.opt_state)
        for section, old in opt_state.items():
            if f"{section}.learning_rate" not in self.hyperparameters:
                rate = old.hyperparams["learning_rate"]
                new = np.full(rate.shape, self.config[section].learning_rate, rate.dtype)
                numbers = old.hyperparams | {"learning_rate": placement.put(new, rate.sharding)}
                opt_state[section] = old._replace(hyperparams=numbers)
        return state.replace(opt_state=opt_state)

    # The programs.

    def _chunk_of_steps(
        self, state: State, arrays: Any, cursor: Any, streamed: Any, n: Any, *, whole: bool = False
    ) -> Any:
        """Makes `n` steps, at most `chunk`, or `whole` chunks: the state, and their metrics."""
        source, shape = self.dataset.train, self.family.batch_shape
        planned = streamed
        if not source.streamed:
            planned = source.plan(data_key(state.key), cursor, self.chunk, shape)
        if self.chunk == 1:
            # A lone batch does not vary in the loop: XLA would move work on it out of the loop, sum
            # in another order there, and a run resumed with another chunk would differ in bits.
            planned = jax.tree.map(lambda a: jnp.concatenate([a, a]), planned)

        before = lowering("keys of steps") == "before"
        keys = keys_of_steps(state, max(self.chunk, 2)) if before else None

        def step(i: Any, state: State) -> tuple[State, Any]:
            x, words_W = jax.tree.map(
                lambda a: jax.lax.dynamic_index_in_dim(a, i, keepdims=False), (planned, keys)
            )
            with known_key(state, words_W):
                return self._step(state, self._rows(source.fetch(arrays, x), len(shape) - 1))

        def body(i: Any, carry: Any) -> Any:
            state, rows = carry
            state, metrics = step(i, state)
            return state, step_metrics.put(rows, i, metrics)

        _, metrics = jax.eval_shape(step, 0, state)
        rows = step_metrics.empty(metrics, max(self.chunk, 2))
        state, rows = jax.lax.fori_loop(0, self.chunk if whole else n, body, (state, rows))
        return state, step_metrics.by_name(rows)

    def _step(self, state: State, batch: Any) -> tuple[State, Any]:
        """Makes the step of one member; see `sound_step`."""
        return sound_step(self.family, self.config, state, batch)

    def _evaluate_batches(self, state: State, arrays: Any, xs: Any) -> Any:
        """Sums over all batches of `xs`."""

        def evaluate(x: Any) -> Any:
            batch = self._rows(self.dataset.test.fetch(arrays, x), 0)
            return self.family.evaluate(state, batch)

        shapes = jax.eval_shape(evaluate, jax.tree.map(lambda a: a[0], xs))
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

        def add(sums: Any, x: Any) -> Any:
            return jax.tree.map(jnp.add, sums, evaluate(x)), None

        return jax.lax.scan(add, zeros, xs)[0]

    # What the loop calls.

    def init(self, leaves: Mapping[str, Any] | None = None) -> State:
        """Makes the state that a run begins with, placed: at step 0 and random.

        Args:
          leaves: what stands in place of leaves of it, see `genjax.engine.leaves.replaced`.
        """
        sharding = self._state_sharding(jax.eval_shape(self._new_state))

        def start(leaves: Mapping[str, Any]) -> State:
            state: State = replaced(self._new_state(), leaves)
            return state

        state = jax.jit(start, out_shardings=sharding)(dict(leaves or {}))
        return self.from_checkpoint(state)

    @property
    def whole(self) -> Any:
        """The sharding of arrays that each device has the whole of."""
        return self._replicated

    def template(self) -> State:
        """Returns shapes and shardings of the state as checkpoints hold it."""
        shapes = jax.eval_shape(self._new_state)

        template: State = jax.tree.map(_placed, shapes, self._state_sharding(shapes))
        return template

    def run(self, state: State, first_step: int, n: int) -> tuple[State, Mapping[str, jax.Array]]:
        """Makes `n <= chunk` steps; dispatches and does not wait. `state` is donated.

        Returns the state and the metrics of each step, on the device: arrays whose last axis is the
        steps, of which the first `n` count; of shape (members, …) for a population.
        """
        with self.clock("data"):
            streamed = self._next_streamed(first_step, n)
        cursor = self.dataset.train.cursor(first_step, self.family.batch_shape)
        cursor, steps = self._put((cursor, np.int32(n)))
        arrays = (self._arrays, cursor, streamed, steps)
        whole = self._is_whole(n)
        if whole not in self._programs:
            with self.clock("compile"):
                self._programs[whole] = self._chunk(whole).lower(state, arrays).compile()
            shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arrays)
            self._shapes = (jax.eval_shape(lambda s: s, state), shapes)
        done: tuple[State, Mapping[str, jax.Array]] = self._programs[whole](state, arrays)
        return done

    def _is_whole(self, n: int) -> bool:
        """Says whether `n` steps are a chunk whose length its program knows."""
        return n == self.chunk and lowering("loops over steps") == "static"

    def _chunk(self, whole: bool) -> Any:
        """Makes the program of a chunk, whole or of any length."""
        return self._jit(functools.partial(self._chunk_of_steps, whole=whole), returns_state=True)

    def lower(self, platform: str) -> jax.stages.Lowered:
        """Lowers the chunk of steps from shapes alone, for a platform that need not be there.

        Args:
          platform: of `genjax.ops.platform.PLATFORMS`.
        """
        with traced_for(platform):
            program = self._traceable(self._chunk(self._is_whole(self.chunk)))
            traced = program.trace(*self._arguments())
            lowered: jax.stages.Lowered = traced.lower(lowering_platforms=(platform,))
        return lowered

    def _arguments(self) -> tuple[State, Any]:
        """Returns shapes and shardings of what a chunk takes."""
        source, shape = self.dataset.train, self.family.batch_shape
        whole, rows = self._replicated, self._rows_sharding(len(shape))
        streamed = self._next_batches(0, 1) if source.streamed else ()
        every = (source.arrays, source.cursor(0, shape), np.int32(1))
        arrays, cursor, n = jax.tree.map(lambda x: _placed(x, whole), every)
        batches = jax.tree.map(lambda x: _placed(x, rows), streamed)
        return self._state_shapes(), (arrays, cursor, batches, n)

    def _traceable(self, program: Any) -> Any:
        return program

    def _state_shapes(self) -> State:
        """Returns shapes and shardings of the state that a chunk takes."""
        return self.template()

    def step_flops(self) -> float:
        """Counts the floating point operations of a step (of all members), as XLA does."""
        shapes = self._shapes or jax.tree.map(lambda x: _placed(x, None), self._arguments())
        return flops_of_function(self._jit(self._chunk_of_steps), *shapes)

    def evaluate(self, state: State) -> dict[str, np.ndarray]:
        """Computes means over the test split, of shape (members,) for a population; waits."""
        source = self.dataset.test
        if source.streamed:
            parts = [
                self._evaluation(state, ((), self._put(jax.tree.map(lambda a: a[None], x))))
                for x in source.evaluation(self.eval_batch_size)
            ]
        else:
            if self._test is None:
                self._test = self._put((source.arrays, source.evaluation(self.eval_batch_size)))
            parts = [self._evaluation(state, self._test)]
        parts = jax.device_get(parts)
        sums = jax.tree.map(lambda *s: np.sum([np.asarray(a, np.float64) for a in s], 0), *parts)
        count = sums.pop("count")
        means = self.family.summary({name: (v.T / count).T for name, v in sums.items()})
        return {name: np.asarray(value) for name, value in means.items()}

    def evaluated(self) -> list[str]:
        """Names the single numbers that `evaluate` gives, without computing them."""
        source = self.dataset.test
        xs = source.evaluation(self.eval_batch_size)
        if source.streamed:
            xs = jax.tree.map(lambda a: a[None], next(xs))
        state = jax.eval_shape(self.from_checkpoint, self.template())
        arrays = () if source.streamed else source.arrays
        sums = jax.eval_shape(self._evaluation, state, (arrays, xs))
        ones = {name: np.ones(s.shape) for name, s in sums.items() if name != "count"}
        ndim = 1 if self.num_members else 0
        return [n for n, v in self.family.summary(ones).items() if np.ndim(v) == ndim]

    def sample(self, state: State, n: int, label_N: np.ndarray | None = None) -> np.ndarray:
        """Draws `n` examples in the range of the data; (members, n, …) for a population.

        Memory is bounded by what is returned and a pass over some of them, see `core.draws`, where
        `label_N` is explained as well.
        """
        labels = () if label_N is None else self._put((label_N,))
        return np.asarray(self._sampler(n)(state, labels))

    def apply(self, f: Any, state: State, x: np.ndarray) -> Any:
        """Computes `f(state, x)` of examples (B, …); (members, B, …) for a population.

        `f` is compiled once: it must be the same object each time.
        """
        return jax.device_get(self._applied(f)(state, self._put((x,))))

    def all_finite(self, state: State) -> bool:
        """Says whether every number of the state (of some member of a population) is finite."""
        return bool(np.any(jax.device_get(self._finiteness(state, ()))))

    @property
    def eval_batch_size(self) -> int:
        """Rows of an evaluation batch: a multiple of `batch_size`, at least 256."""
        return int(self.config.batch_size * -(-256 // self.config.batch_size))

    @functools.cached_property
    def _arrays(self) -> Any:
        """Those of the training split; a model that is loaded may never need them."""
        return self._put(self.dataset.train.arrays)

    @functools.cached_property
    def _evaluation(self) -> Any:
        return self._jit(self._evaluate_batches)

    @functools.cached_property
    def _finiteness(self) -> Any:
        return self._jit(all_finite)

    @functools.cache  # noqa: B019 - one executor a run
    def _sampler(self, n: int) -> Any:
        most = pass_size(self.dataset.spec, self.num_members)

        def drawn(state: State, label_N: Any = None) -> jax.Array:
            return draw(self.family, state, sample_key(state), n, most, label_N)

        return self._jit(drawn)

    @functools.cache  # noqa: B019
    def _applied(self, f: Any) -> Any:
        return self._jit(f)

    def _put(self, tree: Any) -> Any:
        return placement.put(tree, self._replicated)

    @functools.cached_property
    def _stream_key(self) -> np.ndarray:
        return np.asarray(jax.random.key_data(data_key(jax.random.key(self.config.seed))))

    def _next_streamed(self, first_step: int, n: int) -> Any:
        if not self.dataset.train.streamed:
            return ()
        return self._shard_rows(self._next_batches(first_step, n), len(self.family.batch_shape))

    def _next_batches(self, first_step: int, n: int) -> Any:
        """Returns the next `n` batches of a stream, filled up to a chunk, on the host."""
        source, shape = self.dataset.train, self.family.batch_shape
        if self._stream is None or self._stream_step != first_step:
            last = first_step + 2**31  # the loop stops; the stream need not know when
            rows = self._local_rows()
            self._stream = iter(source.stream(self._stream_key, first_step, last, shape, rows))
        steps = [next(self._stream) for _ in range(n)]
        self._stream_step = first_step + n
        steps += [steps[-1]] * (self.chunk - n)  # the program's shape is fixed; these are not read
        return jax.tree.map(lambda *x: np.stack(x), *steps)


def chunk_length(config: ConfigDict, family: Family, dataset: Dataset) -> int:
    """Returns the steps of a chunk: `config.chunk`, or the largest divisor of `log_every` to 200.

    Streamed data bounds it further, so that a chunk of batches stays below 64 MiB.
    """
    most = config.chunk or _MAX_CHUNK
    if dataset.train.streamed:
        bytes_a_step = int(np.prod(family.batch_shape)) * int(np.prod(dataset.spec.shape))
        most = min(most, max(1, _MAX_STREAM_CHUNK_BYTES // bytes_a_step))
    if config.chunk:
        return most
    return max(k for k in range(1, most + 1) if config.log_every % k == 0)


def _placed(x: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)
