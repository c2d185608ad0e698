"""Rows of GPT: training, decoding, and the memory of the cross-entropy over large vocabularies."""

from typing import Any

from benchmarks import floor
from benchmarks.floor import Product
from benchmarks.harness import Side
from benchmarks.rows import Row

# nanoGPT's CPU model and batch; the vocabulary is that of Shakespeare's characters.
_MODEL: dict[str, Any] = {
    "vocab_size": 70, "length": 64, "num_layers": 4, "num_heads": 4, "width": 128,
}  # fmt: skip
_TRAINING: dict[str, Any] = {
    "batch_size": 12, "num_tokens": 1_000_000, "learning_rate": 1e-3, "weight_decay": 0.1,
    "clip_norm": 1.0, **_MODEL,
}  # fmt: skip
_HEAD = {"rows": 4, "places": 256, "width": 256}
_VOCABULARIES = {"32k": 32_768, "128k": 131_072}
_CHUNK = 16


def rows() -> list[Row]:
    """`gpt`, `gpt_decode_1`, `gpt_decode_32`, `cross_entropy_32k` and `cross_entropy_128k`."""
    run = {"steps": 20, **_TRAINING}
    peer = "benchmarks.peers.torch_gpt"
    made = [
        Row(
            "gpt", "nanoGPT's model in PyTorch", "update (12 windows of 64 characters)",
            Side("scan", "benchmarks.ours_gpt:training", run),
            tuple(
                Side(mode, f"{peer}:training", {"mode": mode, **run}, ("torch",))
                for mode in ("eager", "compiled")
            ),
            products=tuple(gpt(**_TRAINING)), settings=_TRAINING,
        )
    ]  # fmt: skip
    for batch_size in (1, 32):
        decode = {"batch_size": batch_size, "size": _MODEL["length"] - 2, **_MODEL}
        for name, by, packages in (
            ("nanoGPT's generate in PyTorch", peer, ("torch",)),
            ("transformers", "benchmarks.peers.hf_gpt", ("torch", "transformers")),
        ):
            suffix = "_transformers" if name == "transformers" else ""
            made.append(
                Row(
                    f"gpt_decode_{batch_size}{suffix}", name,
                    f"{decode['size']} characters behind one, {batch_size} texts at once",
                    Side("one program", "benchmarks.ours_gpt:decoding", decode),
                    (Side("eager", f"{by}:decoding", decode, packages),), settings=decode,
                )
            )  # fmt: skip
    for name, vocab_size in _VOCABULARIES.items():
        head = {**_HEAD, "vocab_size": vocab_size}
        whole, chunked = ({**head, "chunk": chunk} for chunk in (0, _CHUNK))
        target = "benchmarks.ours_gpt:cross_entropy"
        made.append(
            Row(
                f"cross_entropy_{name}", "genjax with all logits at once",
                f"loss and gradients of {_HEAD['rows'] * _HEAD['places']} tokens",
                Side("chunked", target, chunked), (Side("whole", target, whole),),
                products=tuple(
                    floor.times(4, [Product(_HEAD["rows"] * _HEAD["places"], 256, vocab_size)])
                ),
                rounds=3, settings=chunked,
            )
        )  # fmt: skip
    return made


def gpt(
    *, batch_size: int, vocab_size: int, length: int, num_layers: int, num_heads: int, width: int,
    **_: Any,
) -> list[Product]:  # fmt: skip
    """The products of an update; those of attention as if each place saw all others."""
    tokens, size = batch_size * length, width // num_heads
    layer = [
        Product(tokens, width, 3 * width), Product(tokens, width, width),
        Product(tokens, width, 4 * width), Product(tokens, 4 * width, width),
        Product(length, size, length, batch_size * num_heads),
        Product(length, length, size, batch_size * num_heads),
    ]  # fmt: skip
    network = [*floor.times(num_layers, layer), Product(tokens, width, vocab_size)]
    return floor.merged(
        [*network, *floor.weight_gradients(network), *floor.input_gradients(network)]
    )
