"""Executors of several members or devices: `step` vmapped over seeds, sharded or pmapped.

All run the chunk program of `genjax.engine.executor`, and differ in how it is placed.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax.core import elastic, split
from genjax.core.batch import AXIS, MODEL, over
from genjax.core.config import fail
from genjax.core.family import Family, State
from genjax.data.source import Dataset
from genjax.engine import placement
from genjax.engine.executor import Executor
from genjax.ops.lapack import one_by_one


class Population(Executor):
    """Vmaps over members that differ in their seed and in injected hyper-parameters.

    Args:
      seeds: (members,); default `seed … seed + num_seeds - 1`.
      hyperparameters: arrays (members,) by config field, such as `optimizer.learning_rate`: a
        number that `genjax.core.optimizer` injects, in an optimizer section.
    """

    def __init__(
        self,
        family: Family,
        dataset: Dataset,
        config: ConfigDict,
        seeds: Any = None,
        hyperparameters: Mapping[str, Any] | None = None,
        devices: Sequence[jax.Device] | None = None,
    ):
        if dataset.train.streamed:
            raise fail(
                "executor", "vmap", "needs the data on the device; raise data.device_limit_mb"
            )
        self.seeds = (
            np.arange(config.num_seeds) + config.seed if seeds is None else np.asarray(seeds)
        )
        self.hyperparameters = dict(hyperparameters or {})
        self.num_members = len(self.seeds)
        super().__init__(family, dataset, config, devices)

    def _new_state(self) -> State:
        init = one_by_one(lambda seed: self.family.init(jax.random.key(seed)))
        state = jax.vmap(init)(self.seeds)
        opt_state = dict(state.opt_state)
        for field, values in self.hyperparameters.items():
            section, name = field.split(".")
            numbers = opt_state[section].hyperparams | {name: jnp.asarray(values, jnp.float32)}
            opt_state[section] = opt_state[section]._replace(hyperparams=numbers)
        return state.replace(step=state.step[0], opt_state=opt_state)

    def _jit(self, f: Any, *, returns_state: bool = False, **options: Any) -> Any:
        # Members share the step: what depends on it alone (a lazy penalty) stays one branch.
        axes = jax.tree.map(lambda _: 0, jax.eval_shape(self._new_state)).replace(step=None)
        out_axes = (axes, 0) if returns_state else 0

        def members(state: State, *arrays: Any) -> Any:
            return jax.vmap(lambda s: f(s, *arrays), in_axes=(axes,), out_axes=out_axes)(state)

        return super()._jit(members, returns_state=returns_state, **options)


class _Meshed(Executor):
    """Runs on a mesh of all devices."""

    def _place(self) -> None:
        self.mesh = placement.configured_mesh(self.config, self.family, self.devices)
        placement.check_divisible(self.config, self.mesh.shape[placement.DATA_AXIS])
        self._replicated = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec())


class Sharded(_Meshed):
    """Jits over a mesh of all devices of all processes: each sees its rows of the global batch.

    `config.sharding` says whether the state is replicated (`data`) or split (`fsdp`); XLA adds the
    collectives.
    """

    def _state_sharding(self, shapes: Any) -> Any:
        return placement.state_shardings(self.mesh, shapes, self.config.sharding)

    def _rows(self, batch: Any, batch_axis: int) -> Any:
        sharding = placement.batch_sharding(self.mesh, batch_axis)
        if self.config.elastic:  # each device has all rows, and takes its shards where it matters
            sharding = self._replicated
        return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, sharding), batch)

    def _step(self, state: State, batch: Any) -> tuple[State, Any]:
        fsdp, shards = self.config.sharding == "fsdp", self.config.elastic
        if not (fsdp or shards or MODEL in self.mesh.shape):
            return super()._step(state, batch)
        parts = self._state_sharding(jax.eval_shape(self._new_state))
        if shards:
            with elastic.shards(self.mesh, shards):
                new, metrics = super()._step(elastic.whole(state), batch)
        elif fsdp:
            with split.gathering(self.mesh):
                params = split.gathered_params(state.params)
                new, metrics = super()._step(state.replace(params=params), batch)
        else:
            new, metrics = super()._step(state, batch)
        return jax.lax.with_sharding_constraint(new, parts), metrics

    def _rows_sharding(self, batch_axis: int) -> Any:
        return placement.batch_sharding(self.mesh, batch_axis)

    def _shard_rows(self, xs: Any, batch_axis: int) -> Any:
        return placement.put_rows(xs, self._rows_sharding(batch_axis), batch_axis)

    def _local_rows(self) -> slice:
        rows = self.family.batch_shape[-1] // jax.process_count()
        return slice(jax.process_index() * rows, (jax.process_index() + 1) * rows)

    def _jit(self, f: Any, *, returns_state: bool = False, **options: Any) -> Any:
        out: Any = self._replicated
        if returns_state:
            out = (self._state_sharding(jax.eval_shape(self._new_state)), out)

        def on_mesh(*arrays: Any) -> Any:
            if self.config.elastic:  # shards are a device's own
                return f(*arrays)
            with over(self.mesh):
                return f(*arrays)

        return super()._jit(on_mesh, returns_state=returns_state, out_shardings=out, **options)


class Pmapped(_Meshed):
    """Runs `jax.pmap` over the devices of one process, the state replicated; see `core.batch`."""

    def _place(self) -> None:
        if jax.process_count() > 1:
            raise fail("executor", "pmap", "runs in one process; several processes need sharded")
        super()._place()

    def _rows(self, batch: Any, batch_axis: int) -> Any:
        index = jax.lax.axis_index(AXIS)

        def local(x: jax.Array) -> jax.Array:
            size = x.shape[batch_axis] // self.mesh.size
            return jax.lax.dynamic_slice_in_dim(x, index * size, size, batch_axis)

        return jax.tree.map(local, batch)

    def _jit(self, f: Any, *, returns_state: bool = False, **options: Any) -> Any:
        return jax.pmap(
            self._precise(f),
            axis_name=AXIS,
            in_axes=(0, None),
            out_axes=(0, None) if returns_state else None,
            donate_argnums=0 if returns_state else (),
            devices=None if self.devices is None else list(self.devices),
            **options,
        )

    def _traceable(self, program: Any) -> Any:
        return jax.jit(program)  # what pmap makes can be lowered for the default backend alone

    def _state_shapes(self) -> State:
        def replicate(x: Any) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct((self.mesh.size, *x.shape), x.dtype)

        replicas: State = jax.tree.map(replicate, self.template())
        return replicas

    def to_checkpoint(self, state: State) -> State:
        """Takes one of the replicas."""
        one: State = self._first(state)
        return one

    def from_checkpoint(self, state: State) -> State:
        """Makes a replica for each device."""

        def replicate(x: jax.Array) -> jax.Array:
            return jnp.broadcast_to(x, (self.mesh.size, *x.shape))

        one_each = placement.batch_sharding(self.mesh, 0)
        spread = jax.jit(lambda s: jax.tree.map(replicate, s), out_shardings=one_each)
        replicas: State = spread(state)
        return replicas

    @functools.cached_property
    def _first(self) -> Any:
        def first(state: State) -> State:
            one: State = jax.tree.map(lambda x: x[0], state)
            return one

        return jax.jit(first, out_shardings=self._replicated)


def make_executor(family: Family, dataset: Dataset, config: ConfigDict, **options: Any) -> Executor:
    """Makes the executor of `config.executor`; options: `devices`, those of a population."""
    kinds: dict[str, type[Executor]] = {"vmap": Population, "sharded": Sharded, "pmap": Pmapped}
    return kinds.get(config.executor, Executor)(family, dataset, config, **options)
