"""What the main recipes start and wait for in a step on an H100, as its compiler has it."""

import json
import os

import pytest

from benchmarks.compile.__main__ import main
from benchmarks.compile.target import NoCompilerError, environment

KERNELS = {  # a step
    "vae": 35,
    "wgan_gp": 100,
    "word2vec_skipgram": 35,
    "lstm_lm": 850,
    "seq2seq_attention": 921,
    "text_vae": 706,
}
WAITS = {"seq2seq_attention": 1}  # its branches hold loops, which CUDA graphs leave out by default


@pytest.mark.slow
def test_steps_stay_within_their_kernels_and_waits(tmp_path):
    wheels = os.environ.get("GENJAX_TEST_COMPILERS", "")
    try:
        environment("h100", wheels, 1)
    except NoCompilerError as error:
        pytest.skip(str(error))
    path = tmp_path / "rows.json"
    asked = ["--target=h100", f"--recipes={','.join(KERNELS)}", f"--wheels={wheels}"]
    assert main([*asked, f"--json={path}"]) == 0
    rows = json.loads(path.read_text())
    over = {r["recipe"]: r["kernels"] for r in rows if r["kernels"] > KERNELS[r["recipe"]]}
    assert not over
    assert {r["recipe"]: r["waits"] for r in rows if r["waits"]} == WAITS
