"""Writes what pages say of other files: config fields, and how quick the recorded rows are.

python docs/generate.py

`docs/fields.md` is made of the declared fields, the tables of README and `docs/speed.md` of
`benchmarks/results.json`. A test compares what it would write with what is there.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genjax import families
from genjax.core.config import Base, TextData
from genjax.core.fields import Field, described

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
RESULTS = DOCS.parent / "benchmarks" / "results.json"
_HEAD = """\
# Fields

Every field of every config, as `--config.FIELD=VALUE`, with its default before a recipe changes it.
`--help` beside `--config` prints those of a recipe with the recipe's values. This page is written
by `docs/generate.py` from the declared fields.
"""
_FAMILIES = """\
## Of a family

What a family adds, and where its default differs from those above.
"""

# What a recorded row times; a row without a title stands in benchmarks/RESULTS.md alone.
_ROWS = {
    "wgan_gp_mlp": "WGAN-GP, MLP 784-512-256-1, batch 64, 5 critic updates",
    "wgan_gp_conv": "WGAN-GP, convolutions 28x28, batch 64, 5 critic updates",
    "wgan_gp_conv_stock": "the same",
    "wgan_gp_64": "WGAN-GP 64x64 in color, 5 critic updates",
    "wgan_gp_resnet": "WGAN-GP, residual networks 28x28, batch 64, 1 critic update",
    "dcgan": "DCGAN 28x28, batch 128",
    "autoencoder_torch": "autoencoder 784-64-32-64-784, epoch of 468 updates",
    "autoencoder_keras": "the same",
    "vae_torch": "VAE 784-400-20, epoch of 468 updates",
    "vae_pythae": "the same",
    "iwae": "IWAE 784-400-20, 50 draws, update of 128",
    "vae_samples": "10,000 samples of the VAE",
    "flow_matching": "flow matching, U-Net 28x28, batch 64",
    "gpt": "GPT 4/4/128, update of 12 x 64 characters",
    "gpt_decode_1": "GPT, 62 characters for 1 text",
    "gpt_decode_1_transformers": "the same",
    "gpt_decode_32": "GPT, 62 characters for 32 texts",
    "gpt_decode_32_transformers": "the same",
    "bert": "BERT, update of 16 x 128",
    "bert_transformers": "the same",
    "lstm_lm_200": "LSTM language model, 2 x 200, vocabulary 10k",
    "lstm_lm_650": "LSTM language model, 2 x 650, vocabulary 10k",
    "seq2seq_attention": "Seq2Seq 512 with attention, 128 pairs",
    "transformer": "Transformer 3+3 layers of 256, 128 pairs",
    "translation_beam_1": "its beam search of width 4, 1 sentence",
    "translation_beam_32": "its beam search of width 4, 32 sentences",
    "text_vae": "text VAE, update of 64 sentences",
    "word2vec_skipgram": "word2vec, skip-gram, 500,000 words",
    "word2vec_cbow": "word2vec, CBOW, 500,000 words",
    "classifier_torch": "classifier, convolutions 28x28, batch 128",
    "distillation_torch": "distillation, 784-800-800 from 784-1200-1200, batch 128",
    "features_torch": "hidden layer of 10,240 pictures, convolutions",
    "multitask_torch": "four tasks of pictures, one network, an update",
    "m2_torch": "semi-supervised VAE (M2), an update",
    "continual_replay": "replay of ten seeds at once, an update",
    "svm_linear": "linear SVM, 60,000 x 784",
    "svm_grid": "linear SVMs, 10 values of C, 8,000 x 784",
    "svm_grid_rbf": "RBF SVMs, 5 values of C, 4 of gamma, 3,200 x 784",
    "population_program": "a run of 1,000 steps on the ring, one of a population of 32",
    "warm_start_fashion_mnist": "process start to first step done, warm cache",
}
_IN_README = ("wgan_gp_mlp", "vae_torch", "flow_matching", "gpt", "population_program")
_SPEED = re.compile(r"(?<=<!-- of benchmarks/results.json -->\n\n).*?(?=\n<!-- end -->)", re.DOTALL)


def pages() -> dict[Path, str]:
    """Returns the texts of all pages that are written or have a part that is."""
    return {
        DOCS / "fields.md": _fields(),
        DOCS / "speed.md": _with_speed(DOCS / "speed.md", tuple(_ROWS)),
        README: _with_speed(README, _IN_README),
    }


def _with_speed(page: Path, names: Iterable[str]) -> str:
    recorded = {row["name"]: row for row in json.loads(RESULTS.read_text())}
    rows = [recorded[name] for name in names if name in recorded]
    days = sorted({row["recorded"][:10] for row in rows})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    machine = rows[0]["machine"]
    lines = [
        f"Medians of interleaved rounds on {machine['cores']} cores of an {machine['cpu']}, "
        f"{span}.",
        "",
        "| | genjax | peer in its best mode | ratio |",
        "|---|---|---|---|",
    ]
    for row in rows:
        peer = f"{_peer(row)} {_seconds(row['peer_seconds'])}"
        cells = (_ROWS[row["name"]], _seconds(row["seconds"]), peer, f"{row['ratio']:.2f}")
        disturbed = "" if row["alone"] else " (others kept cores busy)"
        lines.append(f"| {' | '.join(cells)}{disturbed} |")
    table = "\n".join([*lines, ""])
    text, places = _SPEED.subn(lambda _: table, page.read_text())
    if places != 1:
        raise SystemExit(f"{page}: {places} places for the table of speed instead of one")
    return text


def _peer(row: dict[str, Any]) -> str:
    """Names the peer with its version, where it is another project, and its quickest mode."""
    if row["peer"].startswith("genjax"):
        return str(row["peer"])
    versions = dict(package.split(" ") for package in row["peer_version"].split(", "))
    peer = re.sub(r" \d+$", "", row["peer"])
    package = "torch" if "PyTorch" in peer else peer.lower()
    name = "PyTorch" if "PyTorch" in peer else peer
    major_minor = ".".join(versions[package].split(".")[:2])
    return f"{peer.replace(name, f'{name} {major_minor}')}, {row['peer_mode'].replace('_', ' ')}"


def _seconds(value: float) -> str:
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.2f} s"


def _fields() -> str:
    """Returns the text of the page of fields."""
    base = list(described(Base))
    text = [field for field in described(TextData, "data") if field not in base]
    own = {
        name: [
            f for f in families.described(name) if f not in [*base, *text] and f.name != "family"
        ]
        for name in families.names()
    }
    parts = ["## Of all families\n", _table(base), "## Of texts\n", _table(text), _FAMILIES]
    return "\n".join(
        [_HEAD, *parts, *(f"### {n}\n\n{_table(fields)}" for n, fields in own.items())]
    )


def _table(fields: Iterable[Field]) -> str:
    rows = ["| field | default | allowed | meaning |", "|---|---|---|---|"]
    for name, default, allowed, meaning, _ in fields:
        shown = f"`{default!r}`" if default != "" else ""
        cells = (f"`{name}`", shown, allowed, meaning)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join([*rows, ""])


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
