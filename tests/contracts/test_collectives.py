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


# Sums of activations over `model`, of rows x length x width: behind attention and feed-forward, and
# in front of each for the gradient; a decoder attends once more, and its memory has a gradient.
SUMS = {"gpt": 4, "transformer": 4 + 7}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SUMS)
def test_devices_that_share_layers_send_what_the_formula_says(recipe, tmp_path):
    out, layers, rows, length, width = tmp_path / "rows.json", 2, 64, 16, 64
    fields = {
        "mesh": "data:2,model:4", "batch_size": 2 * rows, "model.num_layers": layers,
        "model.width": width, "model.scan": True, "data.length": length, "model.num_heads": 4,
    }  # fmt: skip
    if recipe == "transformer":
        fields |= {"buckets": ()}
    arguments = ["--target=cpu", "--devices=8", f"--recipes={recipe}", f"--json={out}"]
    assert main([*arguments, *(f"--set={name}={value}" for name, value in fields.items())]) == 0
    (row,) = json.loads(out.read_text())
    kernels = 12 if recipe == "gpt" else 12 + 16  # of layers, in units of width^2
    split = layers * kernels * width**2
    gradients = 4 * (row["parameters"] - split * 3 / 4)  # summed over the two of `data`
    sums = 4 * layers * SUMS[recipe] * rows * length * width
    assert row["wire_bytes"] == pytest.approx(2 * sums * 3 / 4 + gradients, rel=0.02)
