"""The latent study of every kind of family, as a program."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.helpers import ROOT, main

DECODED = ["interpolation_linear", "interpolation_spherical", "manifold", "samples", "traversals"]
ENCODED = ["arithmetic", "attributes", "codes", "distribution", "reconstructions"]


def tiny(recipe: str, workdir: Path, **changes: object) -> None:
    fields = {"epochs": 0, "steps": 2, "batch_size": 16, "num_samples": 4, "model.latent_dim": 3}
    args = [f"--config.{name}={value}" for name, value in (fields | changes).items()]
    assert main("train", f"--config={ROOT}/configs/{recipe}.py", f"--workdir={workdir}", *args) == 0


def drawn(folder: Path) -> list[str]:
    return sorted(p.stem for p in folder.glob("*.png"))


def test_autoencoder_gets_every_picture_and_the_tables(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "latent"
    assert main("latent", f"--workdir={trained}", f"--out={out}") == 0
    assert drawn(out) == sorted(DECODED + ENCODED)
    numbers = json.loads((out / "latent.json").read_text())
    assert numbers["step"] == 4 and len(numbers["latents"]) == 2
    assert [a["attribute"] for a in numbers["attributes"]] == [f"class {i}" for i in range(10)]
    assert sum(a["share"] for a in numbers["attributes"]) == pytest.approx(1)
    text = (out / "latent.md").read_text()
    assert "| latent | mean |" in text
    for name in drawn(out):  # a heading, some words and the picture
        assert re.search(rf"^## {name}\n\n\w.{{40,}}\n\n!\[{name}\]\({name}\.png\)$", text, re.M)


def test_its_numbers_are_those_of_evaluate(trained: Path) -> None:
    assert main("latent", f"--workdir={trained}") == 0
    agrees_with_evaluate(trained, trained / "latent")


def agrees_with_evaluate(workdir: Path, out: Path) -> None:
    assert main("evaluate", f"--workdir={workdir}") == 0
    evaluated = json.loads((workdir / "eval.json").read_text())["eval"]
    numbers = json.loads((out / "latent.json").read_text())
    assert numbers["eval"].keys() == evaluated.keys()
    for name, value in numbers["eval"].items():
        np.testing.assert_allclose(value, evaluated[name], rtol=1e-6, err_msg=name)
    message = {latent["latent"]: latent.get("kl") for latent in numbers["latents"]}
    if "kl_per_latent" in evaluated:
        assert message == dict(enumerate(evaluated["kl_per_latent"]))
        assert sum(message.values()) == pytest.approx(evaluated["kl"], rel=1e-5)


@pytest.mark.slow
def test_conditional_vae_tells_the_kl_and_shows_the_wanted_attributes(tmp_path: Path) -> None:
    tiny("conditional_vae", tmp_path / "run", **{"model.encoder_hidden": "(8,)"})
    args = ["--attributes=class 7,class 2", f"--out={tmp_path / 'out'}"]
    assert main("latent", f"--workdir={tmp_path / 'run'}", *args) == 0
    assert drawn(tmp_path / "out") == sorted(DECODED + ENCODED)
    numbers = json.loads((tmp_path / "out" / "latent.json").read_text())
    kls = [latent["kl"] for latent in numbers["latents"]]
    assert kls == sorted(kls, reverse=True) and kls[-1] > 0
    assert Image.open(tmp_path / "out" / "attributes.png").size[1] < 250  # two rows
    agrees_with_evaluate(tmp_path / "run", tmp_path / "out")


@pytest.mark.slow
def test_generator_alone_is_told_what_is_left_out(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    hidden = {"model.generator_hidden": "(8,)", "model.critic_hidden": "(8,)"}
    tiny("wgan_gp", tmp_path / "run", **hidden)
    capfd.readouterr()
    assert main("latent", f"--workdir={tmp_path / 'run'}") == 0
    assert drawn(tmp_path / "run" / "latent") == DECODED
    (line,) = [x for x in capfd.readouterr().err.splitlines() if "no encoder" in x]
    assert "no reconstructions" in line
