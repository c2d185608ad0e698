"""What devices send each other under FSDP is parameters and their gradients, and no activations."""

import json

import pytest

from benchmarks.compile.__main__ import main


@pytest.mark.slow
def test_fsdp_sends_parameters_alone(tmp_path):
    """Gathered forward and backward, scattered as gradients: 3 P bytes, at most twice that."""
    out = tmp_path / "rows.json"
    arguments = ["--target=cpu", "--devices=4", "--recipes=gpt,lstm_lm,vae", f"--json={out}"]
    assert main([*arguments, "--set=sharding=fsdp"]) == 0
    for row in json.loads(out.read_text()):
        whole = 4 * row["parameters"]
        assert whole / 4 < row["wire_bytes"] < 2 * 3 * whole, row["recipe"]
