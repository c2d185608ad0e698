"""Pictures of a latent space, each with what it shows in words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from genjax.evaluation.latent import paths
from genjax.evaluation.latent.latent_space import plane
from genjax.plots.grid import paired
from genjax.plots.histograms import plot_latents
from genjax.plots.labeled import plot_codes, plot_grid

_ROWS, _STEPS, _SIDE = 8, 11, 15  # of pictures
_PAIRS, _COLUMNS = 32, 8  # reconstructions
_MOST_SHOWN = 16  # latents
_REACH = 3.0  # of a traversal, in standard deviations
_SHIFTS = np.linspace(-1.5, 1.5, 9)  # along an attribute's vector, in its lengths
_SHARES = [f"{share:g}" for share in np.linspace(0, 1, _STEPS).round(2)]


class Picture(NamedTuple):
    """An image uint8 (H, W, 1 or 3), the name of its file, and a paragraph about it."""

    name: str
    image: np.ndarray
    text: str


def samples(images: np.ndarray) -> Picture:
    """Shows new samples."""
    columns = max(1, round(len(images) ** 0.5))
    image = plot_grid(images, columns, title=f"{len(images)} samples")
    return Picture("samples", image, "Images decoded from random latents, in no order.")


def decoded(space: Any) -> list[Picture]:
    """Shows what the decoder alone can."""
    straight, arcs, label = space.paths(_ROWS, _STEPS)
    shown = [int(i) for i in space.order[:_MOST_SHOWN]]
    steps = np.linspace(-_REACH, _REACH, _STEPS)
    swept = paths.traversals(straight[0, 0], space.center + np.outer(steps, space.spread), shown)
    # Of two latents the first lies across; of more those two that tell most.
    two = (0, 1) if len(space.order) == 2 else space.order[[0, min(1, len(space.order) - 1)]]
    across, down = map(int, two)
    quantiles = paths.normal_quantiles(space.center, space.spread, _SIDE)
    manifold = paths.manifold(space.center, quantiles, across, down)
    ends = "test examples" if space.test is not None else "draws from the prior"
    message = [f", {space.classes[i]}" if space.conditional else "" for i in label]
    begins = [f"pair {i + 1}{name}" for i, name in enumerate(message)]
    between = {
        "linear": ("straight lines", "the straight line"),
        "spherical": (
            "great arcs",
            "the great arc, which keeps the length that draws of the prior have",
        ),
    }
    given = f" All are decoded as {space.classes[label[0]]}." if space.conditional else ""
    each = " Each row is decoded with the class of its left end." if space.conditional else ""
    interpolations = [
        Picture(
            f"interpolation_{name}",
            plot_grid(
                space.decode(z, label),
                _STEPS,
                rows=begins,
                tops=_SHARES,
                title=f"Interpolation along {title}",
                xlabel="share of the way from left to right",
            ),
            f"Each row goes from one of two {ends} (left) to the other (right): their latents are "
            f"joined by {way}, and {_STEPS} points of it, at the shares above, are decoded.{each}",
        )
        for (name, (title, way)), z in zip(between.items(), (straight, arcs))
    ]
    level = [f"{q:.2g}" for q in quantiles[:, across]], [f"{q:.2g}" for q in quantiles[::-1, down]]
    return [
        Picture(
            "manifold",
            plot_grid(
                space.decode(manifold, label[:1]),
                _SIDE,
                tops=level[0],
                rows=level[1],
                title=f"Manifold over latents {across} and {down}",
                xlabel=f"latent {across}",
                ylabel=f"latent {down}",
            ),
            f"Latent {across} rises from left to right and latent {down} from bottom to top, the "
            "two that tell most, at the values written there (quantiles of their distribution at "
            f"equal distances); all other latents are at their means.{given}",
        ),
        *interpolations,
        Picture(
            "traversals",
            plot_grid(
                space.decode(swept, label[:1]),
                _STEPS,
                tops=[f"{s:+.1f}" for s in steps],
                rows=[f"latent {i}" for i in shown],
                title="Traversals",
                xlabel="standard deviations from the latent's mean",
            ),
            "Each row changes one latent of one point, from the latent that tells most (top) on, "
            "to so many standard deviations from its mean (above); the other latents keep their "
            f"values.{given}",
        ),
    ]


def encoded(space: Any, chosen: Sequence[int]) -> list[Picture]:
    """Shows reconstructions, the map of codes, and the distribution of the latents."""
    test, shown = space.test, [int(i) for i in space.order[:_MOST_SHOWN]]
    number = min(_PAIRS, len(test.x))
    outputs = space.decode(test.mean[:number], test.label[:number])
    columns = min(_COLUMNS, number)
    pairs = paired(test.x[:number], outputs, columns)
    return [
        Picture(
            "reconstructions",
            plot_grid(
                pairs,
                columns,
                title="Reconstructions",
                rows=["input", "output"] * (len(pairs) // columns // 2),
            ),
            "Pairs of rows: the first test examples, and below each what the decoder makes of its "
            "code.",
        ),
        _map(space, chosen),
        Picture(
            "distribution",
            plot_latents(test.draw[:, shown], titles=[f"latent {i}" for i in shown]),
            "A panel for each latent, from that which tells most: the histogram of its values over "
            f"the first {len(test.draw):,} test examples"
            + ("" if test.kl is None else ", a draw from each posterior")
            + "; the line is the standard normal density. Values beyond 4 stand at the edges.",
        ),
    ]


def _map(space: Any, chosen: Sequence[int]) -> Picture:
    """Shows the codes in the colors of their classes, else of the first chosen attribute."""
    test = space.test
    if space.classes:
        return code_map(test.mean, test.label, space.classes)
    if chosen:
        name = space.attributes[chosen[0]]
        return code_map(test.mean, test.attributes[:, chosen[0]], [f"without {name}", name])
    return code_map(test.mean, np.zeros(len(test.mean), np.int32), [])


def code_map(
    codes_NxZ: np.ndarray, label_N: np.ndarray, names: Sequence[str], what: str = "test examples"
) -> Picture:
    """Draws a map of codes (N, Z); `names` of their classes, none where they have none."""
    points, (across, up) = plane(codes_NxZ)
    title = f"Codes of the first {len(points):,} {what}"
    image = plot_codes(points, label_N, names, title=title, xlabel=across, ylabel=up)
    colored = "its color is its class" if names else "they have no classes"
    return Picture(
        "codes",
        image,
        f"A point for the code of each of the first {len(points):,} {what} (of a family "
        f"with posteriors, its mean); {colored}. Across: {across}; up: {up or 'nothing'}.",
    )


def attributes(
    space: Any, train: Any, chosen: Sequence[int]
) -> tuple[list[Picture], list[dict[str, Any]]]:
    """Applies vectors of attributes from the training split to test examples that lack them.

    `attributes`: a row for each, an example and its code moved along the vector from -1.5 to 1.5 of
    its lengths. `arithmetic`: the mean code with the attribute, that without it, an example's code,
    and that code + mean with - mean without, each decoded.
    """
    having, lacking = paths.attribute_means(train.mean, train.attributes)
    vectors, test = having - lacking, space.test
    examples = [int(np.argmin(test.attributes[:, i])) for i in chosen]  # the first that lacks it
    z, label = test.mean[examples], test.label[examples]
    moved = z[:, None] + _SHIFTS[:, None] * vectors[chosen][:, None]
    images = space.decode(moved, label).reshape(len(chosen), len(_SHIFTS), *test.x.shape[1:])
    rows = np.concatenate([test.x[examples][:, None], images], axis=1)
    terms = np.stack([having[chosen], lacking[chosen], z, z + vectors[chosen]], axis=1)
    numbers = [
        {"attribute": name, "share": float(share), "length": float(np.linalg.norm(vector))}
        for name, share, vector in zip(space.attributes, train.attributes.mean(0), vectors)
    ]
    names = [space.attributes[i] for i in chosen]
    return [
        Picture(
            "attributes",
            plot_grid(
                rows.reshape(-1, *rows.shape[2:]),
                rows.shape[1],
                rows=names,
                tops=["input", *(f"{s:+.2g}" for s in _SHIFTS)],
                title="Attribute vectors",
                xlabel="lengths of the vector that are added to the code",
            ),
            "Each row: the first test example that lacks the attribute, then its code moved along "
            "the attribute's vector (the mean code of training examples with it, less that of "
            "those without) by so many of its lengths, decoded; +0 is the reconstruction.",
        ),
        Picture(
            "arithmetic",
            plot_grid(
                space.decode(terms, label),
                terms.shape[1],
                rows=names,
                tops=["with", "without", "z", "z + vector"],
                title="Latent arithmetic",
            ),
            "Each row, decoded: the mean code of the training examples with the attribute, that of "
            "those without, the code z of a test example that lacks it, and z with the attribute's "
            "vector (with less without) added.",
        ),
    ], numbers
