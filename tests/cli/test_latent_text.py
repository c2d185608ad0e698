"""The latent study of sentences as a program, and the functions that take sentences as strings."""

import json
from pathlib import Path

import numpy as np
import pytest

import genjax
from genjax.core.config import ConfigError
from tests.cli.helpers import ROOT, main

SENTENCES = ["the value of the expression .", "it is a list .", "the import statement"]


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text VAE of four steps."""
    return train("text_vae", tmp_path_factory.mktemp("vae"))


def train(recipe: str, workdir: Path) -> Path:
    fields = {
        "epochs": 0, "steps": 4, "batch_size": 16, "num_samples": 4, "data.length": 8,
        "data.vocab_size": 200, "model.latent_dim": 3, "model.hidden": 8, "model.embed_dim": 8,
    }  # fmt: skip
    args = [f"--config.{name}={value}" for name, value in fields.items()]
    assert main("train", f"--config={ROOT}/configs/{recipe}.py", f"--workdir={workdir}", *args) == 0
    return workdir


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_texts_of_the_test_split_are_written(vae: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "latent"
    assert main("latent", f"--workdir={vae}", f"--out={out}", "--variants=2") == 0
    texts = ["augmented.txt", "interpolations.txt", "reconstructions.txt", "samples.txt"]
    files = [*texts, "codes.png", "latent.json", "latent.md"]
    assert sorted(p.name for p in out.iterdir()) == sorted(files)
    explained = (out / "latent.md").read_text()
    assert all(f"]({name})\n\n" in explained for name in texts) and "(codes.png)" in explained
    numbers = json.loads((out / "latent.json").read_text())
    assert 0 <= numbers["whole_sentences"] <= numbers["tokens_in_their_place"] <= 1
    evaluated = {n: np.asarray(v).tolist() for n, v in genjax.load(vae).evaluate().items()}
    for name, value in evaluated.items():
        np.testing.assert_allclose(numbers["eval"][name], value, rtol=1e-6, err_msg=name)
    message = {latent["latent"]: latent["kl"] for latent in numbers["latents"]}
    assert message == dict(enumerate(numbers["eval"]["kl_per_latent"]))
    kls = [latent["kl"] for latent in numbers["latents"]]
    assert len(kls) == 3 and kls == sorted(kls, reverse=True)
    assert len(lines(out / "samples.txt")) == 32
    pairs = [line.split("\t") for line in lines(out / "augmented.txt")]
    assert len(pairs) == 2 * numbers["sentences"] and {len(p) for p in pairs} == {2}
    assert pairs[0][0] == pairs[1][0] and lines(out / "reconstructions.txt")[0] == pairs[0][0]


@pytest.mark.slow
def test_own_sentences_are_encoded(vae: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("\n".join(SENTENCES) + "\n\n")
    assert main("latent", f"--workdir={vae}", f"--out={tmp_path}", f"--sentences={file}") == 0
    assert json.loads((tmp_path / "latent.json").read_text())["sentences"] == 3
    model = genjax.load(vae)
    shown, became = model.strings(model.tokens(SENTENCES)), model.reconstruct(SENTENCES)
    way = lines(tmp_path / "interpolations.txt")
    assert len(way) == 10  # between the first two; the third has no partner
    assert [way[0], way[8]] == [f"from  {shown[0]}", f"to    {shown[1]}"]
    assert [way[1], way[7]] == [f"0.00  {became[0]}", f"1.00  {became[1]}"]
    assert [line[:4] for line in way[2:7]] == ["0.17", "0.33", "0.50", "0.67", "0.83"]


def test_reconstructions_of_the_test_split_are_judged(vae: Path) -> None:
    assert main("evaluate", f"--workdir={vae}") == 0
    record = json.loads((vae / "eval.json").read_text())
    assert record["eval"]["elbo"] < 0 and 0 <= record["scores"]["exact"] <= 1


@pytest.mark.slow
def test_denoising_autoencoder_has_no_samples(tmp_path: Path) -> None:
    workdir = train("denoising_text_autoencoder", tmp_path / "run")
    assert main("latent", f"--workdir={workdir}") == 0
    assert not (workdir / "latent" / "samples.txt").exists()
    assert "latents" not in json.loads((workdir / "latent" / "latent.json").read_text())


def test_models_take_sentences_and_give_them_back(vae: Path) -> None:
    model = genjax.load(vae)
    rows = model.tokens(SENTENCES)
    assert rows.shape == (3, 8) and rows.dtype == np.int32
    np.testing.assert_array_equal(model.encode(SENTENCES), model.encode(rows))
    became = model.reconstruct(SENTENCES)
    assert became == model.strings(model.reconstruct(rows)) == model.generate(SENTENCES)
    assert model.decode(model.encode(SENTENCES)) == became
    shares = np.linspace(0, 1, 4)
    between = model.interpolate(SENTENCES[:1], SENTENCES[1:2], shares)
    assert model.interpolate(rows[:1], rows[1:2], shares).shape == (1, 4, 8)
    assert len(between) == 1 and between[0][::3] == became[:2]
    assert model.augment(SENTENCES, seed=1) == model.augment(SENTENCES, seed=1)


def test_images_are_no_sentences(trained: Path) -> None:  # the fixture: a run on digits
    model = genjax.load(trained)
    with pytest.raises(ConfigError, match=r"x: must be an array \(N, 8, 8, 1\), not texts"):
        model.encode(["one"])
    with pytest.raises(ConfigError, match="writes no sentences"):
        model.strings([[1]])
