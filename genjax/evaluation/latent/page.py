"""`latent.md` and `latent.json`: the numbers, and each picture or text with what it shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genjax.core import files
from genjax.evaluation.latent.pictures import Picture
from genjax.plots.grid import save_png

_TABLES = {
    "latents": "Of each latent, from that which tells most of an example to that which tells "
    "least: mean and standard deviation of its values over the examples encoded here, the standard "
    "deviation of the means of its posteriors and, of a variational family, the mean KL divergence "
    "from the prior in nats over the whole test split, as `evaluate` gives it.",
    "attributes": "Of each attribute or class: the share of training examples that have it, and "
    "the length of its vector in latent space.",
}


def write(
    folder: Path,
    numbers: dict[str, Any],
    pictures: Sequence[Picture],
    texts: Sequence[tuple[str, str]] = (),
) -> list[Path]:
    """Writes the pictures, `latent.json` and `latent.md`; returns the files.

    Args:
      folder: where to; made if absent.
      numbers: `family` and `step`; with `eval` (name to number), `latents` and `attributes` (rows)
        where there are any.
      pictures: to be written.
      texts: names of files in the folder, with what they hold in words.

    Raises:
      ConfigError: the folder cannot be written.
    """
    text = [f"# Latent space: {numbers['family']}, step {numbers['step']}\n"]
    for picture in pictures:
        file = f"{picture.name}.png"
        text.append(f"## {picture.name}\n\n{picture.text}\n\n![{picture.name}]({file})\n")
    text += [f"## [{name}]({name})\n\n{message}\n" for name, message in texts]
    if "eval" in numbers:
        text.append("## Evaluation\n\nMeans over the test split, as `evaluate` gives them.\n")
        found = [{"name": f"eval/{n}", "value": v} for n, v in numbers["eval"].items()]
        text += _table([row for row in found if not isinstance(row["value"], list)])
    for name, message in _TABLES.items():
        if name in numbers:
            text += [f"## Numbers: {name}\n\n{message}\n", *_table(numbers[name])]
    with files.writing(f"--out={folder}"):
        for picture in pictures:
            save_png(folder / f"{picture.name}.png", picture.image)
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / "latent.json", numbers)
        files.write_whole(folder / "latent.md", "\n".join(text))
    return [folder / f"{p.name}.png" for p in pictures] + [folder / "latent.md"]


def latent_rows(columns: Mapping[str, Any], order: Any) -> list[dict[str, float]]:
    """Makes rows of numbers of each latent, `columns` by name, in the given order."""
    return [
        {"latent": int(i)} | {name: float(column[i]) for name, column in columns.items()}
        for i in order
    ]


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Makes rows a Markdown table."""

    def cell(value: Any) -> str:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        return text.replace("|", r"\|")

    if not rows:
        return []
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([cell(v) for v in r.values()] for r in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines] + [""]
