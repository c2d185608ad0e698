"""The row of the semi-supervised VAE, M2: all classes of each example, summed over."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from genjax.data.labeled import Labeled

_M2: dict[str, Any] = {
    "size": 784, "hidden": [400], "latent_dim": 20, "classes": 10, "num_labeled": 1000,
    "num_examples": 60_000, "batch_size": 128, "learning_rate": 1e-3,
}  # fmt: skip
_WEIGHTS = {"alpha": 0.1, "labeled_weight": 0.1, "unlabeled_weight": 1.0}


def rows() -> list[Row]:
    """Makes the row `m2_torch`."""
    run = {"iterations": 20, **_M2}
    return [
        Row(
            "m2_torch",
            "PyTorch",
            f"update of {_M2['batch_size']} examples, and as many with labels",
            ours(m2, run),
            peers("torch_m2:m2", "eager compiled", {**run, **_WEIGHTS}),
            products=_products(_M2),
            settings={**_M2, **_WEIGHTS},
        )
    ]


def m2(
    iterations: int,
    *,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    classes: int,
    num_labeled: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
) -> Timed:
    """Sets up our side: `iterations` updates a run, scanned."""
    config = training.recipe("semi_supervised_vae", batch_size=batch_size)
    config.model.update(
        network="mlp",
        latent_dim=latent_dim,
        encoder_hidden=tuple(hidden),
        decoder_hidden=tuple(reversed(hidden)),
        classifier_hidden=tuple(hidden),
        activation="relu",
    )
    config.loss.update(_WEIGHTS, likelihood="bernoulli", binarize="none")
    config.optimizer.update(training.ADAM, learning_rate=learning_rate)
    data = training.images(num_examples, round(size**0.5), classes=classes)
    resident: Any = data.train
    return training.timed(config, data._replace(train=Labeled(resident, num_labeled)), iterations)


def _products(s: Mapping[str, Any]) -> tuple[Product, ...]:
    """Counts the products of an update.

    An example without its label goes through the encoder behind its first layer, and the decoder,
    once for each class. Its pixels meet the first layer once: the class only adds a row of weights.
    The labels of the decoder's input are such rows as well.
    """
    unlabeled, all_classes = s["batch_size"], s["batch_size"] * s["classes"]
    inner = [*s["hidden"], 2 * s["latent_dim"]]
    decoder = [s["latent_dim"], *reversed(s["hidden"]), s["size"]]
    products: list[Product] = []
    for pictures, rows in ((unlabeled, all_classes), (unlabeled, unlabeled)):
        first = floor.dense(pictures, [s["size"], s["hidden"][0]])
        behind = [*floor.dense(rows, inner), *floor.dense(rows, decoder)]
        classifier = floor.dense(pictures, [s["size"], *s["hidden"], s["classes"]])
        products += floor.autoencoder([*first, *behind])
        products += floor.autoencoder(classifier)
    return tuple(floor.merged(products))
