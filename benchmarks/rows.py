"""The rows: what is compared, with which settings, and what a row's floor is made of."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import floor
from benchmarks.floor import Product
from benchmarks.harness import ROOT, Side


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
      name: of the row.
      peer: what ours is compared with.
      unit: what `seconds` are seconds of.
      ours: our side.
      peers: modes of the peer; the quickest counts.
      search: further modes, run with `--search` only: they were slower where they were tried.
      products: matrix products of one unit that nobody can do without; empty: no floor is stated.
      rounds: by default.
      settings: both sides' arguments, for the record.
      needs: a path without which the row cannot be run; empty: none.
    """

    name: str
    peer: str
    unit: str
    ours: Side
    peers: tuple[Side, ...]
    search: tuple[Side, ...] = ()
    products: tuple[Product, ...] = ()
    rounds: int = 9
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""


# batch 64 and Adam(2e-4, 0.5, 0.999), n_critic 5, lambda 10, on 60,000 images of 28x28
_RECIPE: dict[str, Any] = {
    "batch_size": 64, "n_critic": 5, "penalty_weight": 10.0,
    "learning_rate": 2e-4, "b1": 0.5, "b2": 0.999,
}  # fmt: skip
_IMAGES = {"num_examples": 60_000, "height": 28}
_MLP: dict[str, Any] = {
    "latent_dim": 100, "generator_hidden": [128, 256, 512, 1024], "critic_hidden": [512, 256],
    **_IMAGES, **_RECIPE,
}  # fmt: skip
_CONV = {"latent_dim": 100, "channels": [64, 128], **_IMAGES, **_RECIPE}
_DENSE: dict[str, Any] = {
    "size": 784, "hidden": [64], "latent_dim": 32, "num_examples": 60_000, "batch_size": 128,
    "learning_rate": 1e-3,
}  # fmt: skip
_RING = {"hidden": [64, 64, 64], "batch_size": 64}
_MEMBERS, _RING_STEPS = 32, 100


def all_rows() -> dict[str, Row]:
    """Every row by its name, in the order in which they run."""
    from benchmarks import (
        rows_autoencoders,
        rows_flow,
        rows_gan,
        rows_language_autoencoder,
        rows_language_bert,
        rows_language_gpt,
        rows_language_recurrent,
        rows_language_seq2seq,
        rows_language_word2vec,
        rows_vae,
    )

    made = (
        *_wgan_rows(), *rows_gan.rows(), *_autoencoder_rows(), *rows_autoencoders.rows(),
        *rows_vae.rows(), *rows_flow.rows(), *rows_language_gpt.rows(),
        *rows_language_bert.rows(), *rows_language_recurrent.rows(),
        *rows_language_seq2seq.rows(), *rows_language_autoencoder.rows(),
        *rows_language_word2vec.rows(),
        *_population_rows(), *_warm_start_rows(),
    )  # fmt: skip
    return {row.name: row for row in made}


def _torch(function: str, mode: str, arguments: Mapping[str, Any]) -> Side:
    return Side(mode, f"benchmarks.peers.{function}", {"mode": mode, **arguments}, ("torch",))


def _wgan_rows() -> list[Row]:
    batch, widths = _RECIPE["batch_size"], [_MLP["latent_dim"], *_MLP["generator_hidden"], 784]
    mlp = floor.wgan_gp(
        floor.dense(batch, widths), floor.dense(batch, [784, *_MLP["critic_hidden"], 1]),
        _RECIPE["n_critic"],
    )  # fmt: skip
    # 28x28x1 to 14x14x64 to 7x7x128 to 1, and back; see benchmarks/floor.py for the shapes.
    critic = [
        Product(batch * 14 * 14, 16 * 1, 64), Product(batch * 7 * 7, 16 * 64, 128),
        Product(batch, 7 * 7 * 128, 1),
    ]  # fmt: skip
    generator = [
        Product(batch, 100, 7 * 7 * 128), Product(batch * 7 * 7, 128, 16 * 64),
        Product(batch * 14 * 14, 64, 16 * 1),
    ]  # fmt: skip
    conv = floor.wgan_gp(generator, critic, _RECIPE["n_critic"])

    def modes(function: str, names: str, arguments: Mapping[str, Any]) -> tuple[Side, ...]:
        return tuple(_torch(f"torch_wgan_gp:{function}", name, arguments) for name in names.split())

    mlp_run, conv_run = {"iterations": 10, **_MLP}, {"iterations": 1, **_CONV}
    return [
        Row(
            "wgan_gp_mlp", "PyTorch", "generator iteration (5 critic updates, 1 generator update)",
            Side("scan", "benchmarks.ours:wgan_gp_mlp", mlp_run),
            modes("mlp", "eager compiled", mlp_run),
            modes("mlp", "partly functional compiled_forward", mlp_run),
            tuple(mlp), settings=_MLP,
        ),
        Row(
            "wgan_gp_conv", "PyTorch", "generator iteration (5 critic updates, 1 generator update)",
            Side("scan", "benchmarks.ours:wgan_gp_conv", conv_run),
            modes("conv", "eager compiled", conv_run),
            modes("conv", "eager_channels_last compiled_channels_last partly functional", conv_run),
            tuple(conv), settings=_CONV,
        ),
        Row(
            "wgan_gp_conv_stock", "genjax with stock convolutions", "generator iteration",
            Side("scan", "benchmarks.ours:wgan_gp_conv", conv_run),
            (Side("stock", "benchmarks.ours:wgan_gp_conv", {**conv_run, "lowering": "stock"}),),
            products=tuple(conv), rounds=2, settings=_CONV,
        ),
    ]  # fmt: skip


def _autoencoder_rows() -> list[Row]:
    widths = [784, *_DENSE["hidden"], _DENSE["latent_dim"], *reversed(_DENSE["hidden"]), 784]
    updates = _DENSE["num_examples"] // _DENSE["batch_size"]
    update = floor.autoencoder(floor.dense(_DENSE["batch_size"], widths))
    products = tuple(floor.times(updates, update))
    run, unit = {"epochs": 1, **_DENSE}, f"epoch ({updates} updates)"
    ours = Side("scan", "benchmarks.ours:autoencoder", run)

    def keras(backend: str, steps_per_execution: int = 1) -> Side:
        label = backend if steps_per_execution == 1 else f"{backend}, {steps_per_execution} steps"
        arguments = {"steps_per_execution": steps_per_execution, **run}
        target = "benchmarks.peers.keras_autoencoder:dense"
        return Side(label, target, arguments, ("keras", backend), {"KERAS_BACKEND": backend})

    return [
        Row(
            "autoencoder_torch", "PyTorch", unit, ours,
            tuple(
                _torch("torch_autoencoder:dense", mode, run)
                for mode in ("eager", "compiled", "compiled_step")
            ),
            products=products, settings=_DENSE,
        ),
        Row(
            "autoencoder_keras", "Keras 3", unit, ours, (keras("jax", 52), keras("torch")),
            (keras("jax"), keras("jax", 468)), products, rounds=5, settings=_DENSE,
        ),
    ]  # fmt: skip


def _population_rows() -> list[Row]:
    arguments = {"members": _MEMBERS, "steps": _RING_STEPS, **_RING}

    def program(label: str, runs: int, **fields: Any) -> Side:
        fields = {"steps": 10 * _RING_STEPS, **fields}
        arguments = {"recipe": "configs/wgan_gp_mixture.py:ring", "fields": fields, "runs": runs}
        return Side(label, "benchmarks.starting:program", arguments)

    return [
        Row(
            "population", "genjax, single runs in sequence",
            f"run of {_RING_STEPS} steps on the ring, programs started and compiled",
            Side("vmap", "benchmarks.ours:population", arguments),
            (Side("singles", "benchmarks.ours:singles", arguments),),
            rounds=5, settings=arguments,
        ),
        Row(
            "population_program", "genjax, single programs in sequence",
            f"run of {10 * _RING_STEPS} steps on the ring, from start to end of the program",
            program("one program", _MEMBERS, executor="vmap", num_seeds=_MEMBERS),
            (program("a program each", 1, executor="scan", num_seeds=1),),
            rounds=5, settings=arguments,
        ),
    ]  # fmt: skip


def _warm_start_rows() -> list[Row]:
    data = Path(os.environ.get("GENJAX_TEST_DATA") or ROOT.parent / "shared" / "data") / "tfds"
    cases = {
        "digits": ({"recipe": "configs/wgan_gp.py"}, 1797, 8, ""),
        "fashion_mnist": (
            {"recipe": "configs/wgan_gp_fashion.py", "data_dir": str(data)},
            60_000, 28, str(data / "fashion_mnist"),
        ),
    }  # fmt: skip

    def peer(recipe: str, num_examples: int, height: int) -> Side:
        arguments = {"recipe": recipe, "num_examples": num_examples, "height": height}
        return Side("script", "benchmarks.starting:torch_script", arguments, ("torch",))

    return [
        Row(
            f"warm_start_{name}", "PyTorch", "process start to first step done",
            Side("train", "benchmarks.starting:ours", ours),
            (peer(ours["recipe"], num_examples, height),),
            rounds=5, settings=ours, needs=needs,
        )
        for name, (ours, num_examples, height, needs) in cases.items()
    ]  # fmt: skip
