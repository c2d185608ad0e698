"""Contracts 5 and 6: nothing compiles twice, buffers are donated, nothing crosses unasked."""

import collections

import jax
import numpy as np
import pytest

from genjax.core.capabilities import Samples
from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.executor import Executor
from genjax.engine.run import prepare
from tests.contracts import events, recipes


def test_what_is_counted_is_compilation():
    assert events.compiles_are_counted()


def test_an_implicit_transfer_would_be_seen():
    with jax.transfer_guard("disallow"), pytest.raises(Exception, match="Disallowed"):
        jax.jit(lambda x: x + 1)(np.ones(3))


@pytest.fixture(params=recipes.marked(recipes.names(), by_name=tuple(recipes.VARIANTS)))
def name(request):
    """Every recipe that differs; variants by name: their placements show it of their steps."""
    return request.param


def look(executor, state):
    executor.evaluate(state), executor.all_finite(state)
    if isinstance(executor.family, Samples):
        executor.sample(state, 4)


def test_state_is_donated_and_nothing_compiles_or_crosses_again(name, scanned):
    executor = scanned(name).executor
    source, rows = executor.dataset.train, int(np.prod(executor.family.batch_shape))
    epoch = source.num_examples // rows  # the last step that lies in the first epoch
    state = executor.init()
    state, _ = executor.run(state, 0, 4)
    look(executor, state)
    with events.counting() as count:
        for first, n in ((max(epoch - 2, 0), 4), (epoch + 2, 4), (2**20, 3), (7, 1)):
            old = jax.tree.leaves(state)
            # On a CPU the guard sees only what goes to the device; on a GPU both ways.
            with jax.transfer_guard("disallow"):
                state, metrics = executor.run(state, first, n)
            assert all(x.is_deleted() for x in old)
            look(executor, state)
    assert count.compiled == 0
    assert all(np.isfinite(value).all() for value in jax.device_get(metrics).values())


@pytest.mark.parametrize("executor", ["scan", "loop", "vmap", "sharded", "pmap"])
def test_a_run_compiles_each_program_once(executor, folder, tmp_path, monkeypatch):
    calls = _count_compiles_by_call(monkeypatch)
    changes = {"num_seeds": 2} if executor == "vmap" else {}
    for steps in (11, 22):  # the second run resumes the first; both end with a partial chunk
        config = recipes.tiny(
            "autoencoder",
            folder,
            executor=executor,
            steps=steps,
            eval_every=6,
            sample_every=6,
            checkpoint_every=4,
            **changes,
        )
        run = prepare(config)
        calls.clear()
        hooks = loop.Hooks(picture=lambda x: np.zeros((4, 4, 1), np.uint8))
        with jax.transfer_guard("disallow"):
            summary = loop.train(run, tmp_path, hooks=hooks)
        assert summary.step == steps
        assert len(calls["run"]) >= 4 and len(calls["evaluate"]) >= 2 and len(calls["save"]) >= 2
        again = {call: found[1:] for call, found in calls.items() if any(found[1:])}
        assert not again, f"compiled again: {again}"


def _count_compiles_by_call(monkeypatch):
    """By method: for each of its calls, how many programs it compiled."""
    calls = collections.defaultdict(list)
    methods = [(Executor, m) for m in ("run", "evaluate", "sample", "all_finite")]
    methods.append((Checkpoints, "save"))
    methods += [(kind, "to_checkpoint") for kind in (Executor, *Executor.__subclasses__())]
    for owner, method in methods:
        if method in vars(owner):
            _counted(monkeypatch, calls, owner, method)
    return calls


def _counted(monkeypatch, calls, owner, method):
    original = getattr(owner, method)

    def wrapped(*args, **kwargs):
        with events.counting() as count:
            result = original(*args, **kwargs)
        calls[method].append(count.compiled)
        return result

    monkeypatch.setattr(owner, method, wrapped)
