"""What devices send each other: under FSDP parameters and gradients, along `model` activations."""

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


@pytest.mark.slow
def test_devices_that_share_layers_send_what_the_formula_says(tmp_path):
    """Activations are summed behind attention and feed-forward and, backward, in front of each.

    A decoder attends once more, and its memory has a gradient.
    """
    out, layers, rows, length, width = tmp_path / "rows.json", 2, 64, 16, 64
    fields = {
        "mesh": "data:2,model:4", "batch_size": 2 * rows, "model.num_layers": layers,
        "model.num_heads": 4, "model.width": width, "model.scan": True, "buckets": (),
    }  # fmt: skip
    arguments = ["--target=cpu", "--devices=8", "--recipes=transformer", f"--json={out}"]
    assert main([*arguments, *(f"--set={name}={value}" for name, value in fields.items())]) == 0
    (row,) = json.loads(out.read_text())
    split = layers * (12 + 16) * width**2  # of the parameters
    gradients = 4 * (row["parameters"] - split * 3 / 4)  # summed over the two of `data`
    sums = 4 * layers * (4 + 7) * rows * length * width
    assert row["wire_bytes"] == pytest.approx(2 * sums * 3 / 4 + gradients, rel=0.02)
