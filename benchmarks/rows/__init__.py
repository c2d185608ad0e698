"""The rows of all families, a module each: its rows, and our side of them."""

import importlib

from benchmarks.harness.row import Row

# Of a family, or of the engine, in the order in which they run.
MODULES = (
    "gan", "autoencoder", "vae", "semi_supervised_vae", "flow_matching", "classifier", "continual",
    "multitask", "gpt", "bert", "recurrent_lm", "seq2seq", "transformer", "text_autoencoder",
    "word2vec", "heads", "engine",
)  # fmt: skip


def all_rows() -> dict[str, Row]:
    """Returns every row by its name, in the order in which they run.

    Imported here, so that the process of one family's side does not import all others.
    """
    modules = [importlib.import_module(f"{__name__}.{name}") for name in MODULES]
    return {row.name: row for module in modules for row in module.rows()}
