"""Test ELBO of the VAE on Fashion-MNIST: genjax's recipe beside the same model in PyTorch.

    python -m benchmarks.elbo --workdir=DIR [--network=mlp|conv] [--seeds=5] [--epochs=20]

Both sides make the same updates (batches, Adam, binarization drawn anew each time) from their own
initial weights and report the bound on the 10,000 test images, binarized once at random, with the
same number of draws: means over the seeds and their standard errors, in nats. Genjax's seeds are
one program; PyTorch's networks are compiled and trained one after the other.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genjax.core.members import spread

_DRAWS = 50  # of z for each test image


def main(argv: Sequence[str] | None = None) -> int:
    """Trains and judges both sides, prints the table; returns the exit status."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.elbo", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--workdir", required=True, help="where genjax's run goes")
    parser.add_argument("--network", choices=("mlp", "conv"), default="mlp")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--json", metavar="FILE", help="write the numbers")
    arguments = parser.parse_args(argv)
    theirs = _torch(arguments)  # first: without PyTorch it ends here
    sides = {"genjax": _ours(arguments), "PyTorch": theirs}
    print(f"{'':8} {'ELBO':>18} {f'IWAE-{_DRAWS}':>18} {'seconds':>9}")
    for name, side in sides.items():
        elbo, iwae = (_with_error(side[n]) for n in ("elbo", "iwae"))
        print(f"{name:8} {elbo:>18} {iwae:>18} {side['seconds']:9.0f}")
    if arguments.seeds > 1:
        print(f"± standard error over {arguments.seeds} seeds, in nats")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(vars(arguments) | sides, indent=1) + "\n")
    return 0


def _ours(arguments: Any) -> dict[str, Any]:
    from genjax.cli import evaluate, train

    recipe = Path(__file__).resolve().parent.parent / "configs" / "vae_fashion.py"
    start = time.perf_counter()
    status = train.main(
        [
            f"--config={recipe}:{arguments.network}",
            f"--workdir={arguments.workdir}",
            f"--config.epochs={float(arguments.epochs)}",
            f"--config.loss.eval_samples={_DRAWS}",
            "--config.executor=vmap",
            f"--config.num_seeds={arguments.seeds}",
        ]
    )
    seconds = time.perf_counter() - start
    status = status or evaluate.main([f"--workdir={arguments.workdir}"])
    if status:
        sys.exit(status)
    test = json.loads((Path(arguments.workdir) / "eval.json").read_text())["eval"]
    return {"elbo": test["elbo"], "iwae": test[f"iwae_{_DRAWS}"], "seconds": seconds}


def _torch(arguments: Any) -> dict[str, Any]:
    from benchmarks.peers.torch_vae import train_and_judge
    from genjax import data, recipes
    from genjax.data.source import first_rows

    recipe = Path(__file__).resolve().parent.parent / "configs" / "vae_fashion.py"
    c = recipes.load(f"{recipe}:{arguments.network}")
    dataset = data.load(c.data)
    images = [first_rows(split, 60_000)[0] for split in (dataset.train, dataset.test)]
    start = time.perf_counter()
    each = [
        train_and_judge(
            *images,
            network=arguments.network,
            hidden=c.model.encoder_hidden,
            channels=c.model.encoder_channels,
            latent_dim=c.model.latent_dim,
            batch_size=c.batch_size,
            learning_rate=c.optimizer.learning_rate,
            epochs=arguments.epochs,
            draws=_DRAWS,
            seed=seed,
        )
        for seed in range(arguments.seeds)
    ]
    elbo, iwae = zip(*each)
    return {"elbo": elbo, "iwae": iwae, "seconds": time.perf_counter() - start}


def _with_error(values: Sequence[float]) -> str:
    over = spread(values)
    error = "" if over.standard_error is None else f" ± {over.standard_error:.2f}"
    return f"{over.mean:.2f}{error}"


if __name__ == "__main__":
    sys.exit(main())
