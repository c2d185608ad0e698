"""Contract 4: a run that is killed and resumed equals the uninterrupted one, bit for bit.

Here a family of each kind of program, as users compile it, with chunks of another length after the
kill; `test_resume_others` has the others and the variants.
"""

import os

import pytest

from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from tests.contracts import recipes
from tests.contracts.resuming import check_resumed, final_state, kill, start_child, wait_until
from tests.contracts.trees import assert_equal

pytestmark = pytest.mark.slow  # minutes of compiling in children
CHOSEN = (
    "autoencoder", "classifier", "continual", "flow_matching", "gan", "gpt", "gru_lm", "seq2seq",
    "vae", "word2vec_cbow",
)  # fmt: skip


@pytest.fixture(params=CHOSEN)
def name(request):
    """A recipe of each kind of program."""
    return request.param


def test_killed_and_resumed_run_equals_uninterrupted(name, killed, folder, tmp_path, caplog):
    check_resumed(name, killed, folder, tmp_path, caplog, chunk=4)


def test_killed_while_a_checkpoint_is_written(folder, tmp_path):
    """Again and again, each time as soon as the next checkpoint's files appear."""
    changes = {"steps": 60, "chunk": 4, "log_every": 20, "model__encoder_hidden": (512,)}
    whole = prepare(recipes.tiny("autoencoder", folder, **changes))
    loop.train(whole, tmp_path / "whole")
    workdir = tmp_path / "killed"
    checkpoints = workdir / "checkpoints"
    code = (
        "from pathlib import Path; from genjax.engine import loop, run;"
        "from tests.contracts import recipes;"
        f"c = recipes.tiny('autoencoder', Path({str(folder)!r}), checkpoint_every=2, **{changes});"
        f"loop.train(run.prepare(c), {str(workdir)!r})"
    )
    torn = 0
    for _ in range(4):
        before = set(os.listdir(checkpoints)) if checkpoints.exists() else set()
        child = start_child("-c", code)
        try:
            wait_until(
                lambda before=before: (
                    checkpoints.exists()
                    and any("tmp" in p for p in set(os.listdir(checkpoints)) - before)
                ),
                child,
            )
        finally:
            kill(child)
        present = [p for p in os.listdir(checkpoints) if not p.endswith(".trash")]
        torn += len(present) > len(Checkpoints(checkpoints).steps())
    assert torn, "no kill met a checkpoint that was being written"
    resumed = prepare(recipes.tiny("autoencoder", folder, **changes))
    loop.train(resumed, workdir)
    assert_equal(final_state(resumed, workdir), final_state(whole, tmp_path / "whole"))
