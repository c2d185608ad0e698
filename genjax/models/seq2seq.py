"""Recurrent encoder-decoders, with and without attention.

The encoder reads the source; the decoder starts from its last states and reads the target up to the
last known token. Its state h and, with attention, the mean c of the source's states weighted by
their scores with h make the vector that predicts the next token:

    v = tanh(W [c; h])

Sources: Sutskever et al. 2014 (Sequence to sequence learning) without attention; Luong et al. 2015
(Effective approaches to attention-based neural machine translation), equations 5 to 8 and, for
`input_feeding`, section 3.3: v of a step is part of the next step's input; Bahdanau et al. 2015
for the score `additive`; Chorowski et al. 2015 (Attention-based models for speech recognition),
equation 9, for `location`: the additive score also depends on the weights of the step before, so
that a decoder can move on from there in sources longer than any of training. v is as wide as the
embeddings, so that these can be the output's weights.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import tokens
from genjax.models.copying import Prediction, open_gate
from genjax.models.dense import Dropout
from genjax.models.embedding import Embedding
from genjax.models.recurrent import Recurrent, first_bias, orthogonal
from genjax.ops.attention import additive_scores, attend, dot_scores
from genjax.ops.masks import padding_mask
from genjax.ops.precision import matmul
from genjax.ops.recurrence import CELLS, Carry, recurrence
from genjax.ops.scanned import Times, scan_products

ATTENTIONS = ("none", "additive", "location", "multiplicative", "dot")
_REACH = 5  # places to each side whose weights of the step before enter a score of `location`
_STD = 0.1  # of the tokens' first vectors


class Seq2Seq(nn.Module):
    """A network from a source and the beginning of a target to vectors that predict what follows.

    Attributes:
      vocab_size: tokens of the source.
      target_vocab_size: tokens of the target.
      embed_dim: E, width of a token's vector, and of the vectors that predict.
      hidden: H, units of the decoder's layers and of the encoder's; half in each of its directions.
      cell: a key of `genjax.ops.recurrence.CELLS`.
      layers: of encoder and decoder each.
      bidirectional: the encoder also reads from the end; H is even then.
      attention: of `ATTENTIONS`.
      input_feeding: see above; with attention, and always with `location`.
      tie_embeddings: the target's embeddings are the output's weights too.
      dropout: rate, of each layer's inputs and of the vectors that predict.
      dtype: of compute.
      copies: there is a gate between words to write and words of the source; needs attention.
    """

    vocab_size: int
    target_vocab_size: int
    embed_dim: int
    hidden: int
    cell: str = "lstm"
    layers: int = 1
    bidirectional: bool = True
    attention: str = "additive"
    input_feeding: bool = True
    tie_embeddings: bool = False
    dropout: float = 0.0
    dtype: Any = jnp.float32
    copies: bool = False

    def setup(self) -> None:
        """Declares the parts."""
        embed: dict[str, Any] = {"width": self.embed_dim, "std": _STD, "dtype": self.dtype}
        self.source = Embedding(self.vocab_size, **embed)
        self.target = Embedding(self.target_vocab_size, **embed)
        self.encoder = Recurrent(
            self.hidden // (1 + self.bidirectional),
            self.cell,
            self.layers,
            self.bidirectional,
            self.dropout,
            dtype=self.dtype,
        )
        self.decoder = Decoder(
            self.embed_dim,
            self.hidden,
            self.cell,
            self.layers,
            self.attention,
            self.input_feeding,
            self.dropout,
            self.dtype,
            self.copies,
        )
        if not self.tie_embeddings:
            shape = (self.embed_dim, self.target_vocab_size)
            self.kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        self.bias = self.param("bias", nn.initializers.zeros, (self.target_vocab_size,))

    def __call__(
        self, x_BxS: jax.Array, inputs_BxU: jax.Array, *, train: bool = False
    ) -> jax.Array:
        """Computes vectors (B, U, E) that predict the token after each of the inputs."""
        vectors_BxUxE: jax.Array = self.predict(x_BxS, inputs_BxU, train=train).vectors
        return vectors_BxUxE

    def predict(
        self, x_BxS: jax.Array, inputs_BxU: jax.Array, *, train: bool = False
    ) -> Prediction:
        """Computes the same vectors, the weights of attention and, with `copies`, the gate."""
        cache = self.begin(x_BxS, inputs_BxU.shape[1], train=train)
        return self.decoder(self.target(inputs_BxU), cache, train=train)[0]

    def head(self) -> tuple[jax.Array, jax.Array]:
        """Returns the output's weights (E, V) and biases (V,)."""
        return self.target.tokens.T if self.tie_embeddings else self.kernel, self.bias

    def begin(self, x_BxS: jax.Array, length: int, *, train: bool = False) -> dict[str, Any]:
        """Makes the decoder's cache before its first token; it does for any `length`."""
        outputs_BxSxH, carry = self.encoder(self.source(x_BxS), tokens.lengths(x_BxS), train=train)
        if self.bidirectional:
            pairs = zip(carry[::2], carry[1::2])
            carry = tuple(
                tuple(jnp.concatenate(states, -1) for states in zip(*pair)) for pair in pairs
            )
        memory = self.decoder.remember(outputs_BxSxH, padding_mask(x_BxS).dense())
        cache: dict[str, Any] = {"carry": carry, "memory": memory}
        if self.input_feeding:
            cache["vector"] = jnp.zeros((len(x_BxS), self.embed_dim))
        if self.attention == "location":
            cache["weights"] = jnp.zeros(x_BxS.shape)
        return cache

    def extend(self, token_B: jax.Array, cache: Any) -> tuple[jax.Array, Any]:
        """Reads one token: the vector (B, E) that predicts the next one, and the cache."""
        found, cache = self.predict_next(token_B, cache)
        return found.vectors, cache

    def predict_next(self, token_B: jax.Array, cache: Any) -> tuple[Prediction, Any]:
        """Reads one token: what is made of it, without the axis U, and the cache."""
        found, cache = self.decoder(self.target(token_B[:, None]), cache)
        return found.last(), cache

    def weights(self, x_BxS: jax.Array, inputs_BxU: jax.Array) -> jax.Array:
        """Computes weights (B, U, S) over the source, of the predictions after each input."""
        return jnp.asarray(self.predict(x_BxS, inputs_BxU).weights)


class Decoder(nn.Module):
    """The decoder's layers and its attention; see `Seq2Seq` for the attributes."""

    embed_dim: int
    hidden: int
    cell: str
    layers: int
    attention: str
    input_feeding: bool
    dropout: float
    dtype: Any
    copies: bool = False

    def setup(self) -> None:
        """Declares kernels, biases and dropout."""
        size, width, attends = self.hidden, self.embed_dim, self.attention != "none"
        gates = CELLS[self.cell].gates * size
        scaled, zeros = nn.initializers.lecun_normal(), nn.initializers.zeros
        kernels: dict[str, Any] = {"out": (scaled, ((1 + attends) * size, width))}
        biases: dict[str, Any] = {"out": (zeros, (width,))}
        for i in range(self.layers):
            kernels[f"x{i}"] = (scaled, (size if i else width, gates))
            kernels[f"h{i}"] = (orthogonal(), (size, gates))
            biases[f"x{i}"] = (first_bias(self.cell), (gates,))
        if self.input_feeding:
            kernels["vector"] = (scaled, (width, gates))
        if self.attention in ("additive", "location", "multiplicative"):
            kernels["key"] = (scaled, (size, size))
        if self.attention in ("additive", "location"):
            kernels["query"] = (scaled, (size, size))
            biases["score"] = (nn.initializers.normal(size**-0.5), (size,))
        self.kernels = {
            n: self.param(f"kernel_{n}", *k).astype(self.dtype) for n, k in kernels.items()
        }
        if self.copies:
            gate = (scaled, (2 * size + width, 1))
            self.gate = self.param("kernel_gate", *gate), self.param("bias_gate", zeros, (1,))
        added = {n: self.param(f"bias_{n}", *b) for n, b in biases.items()}
        if self.attention == "location":  # filters of the weights, and their matrix, in one
            added["location"] = self.param("filters", scaled, (2 * _REACH + 1, size))
        self.biases = added
        self.drop = Dropout(self.dropout)

    def remember(self, outputs_BxSxH: jax.Array, mask_Bx1xS: jax.Array) -> dict[str, jax.Array]:
        """Computes keys and values of the source, with all that its scores have in common."""
        if self.attention == "none":
            return {}
        key = outputs_BxSxH
        if "key" in self.kernels:
            key = matmul(outputs_BxSxH, self.kernels["key"]).astype(self.dtype)
        return {"key": key, "value": outputs_BxSxH, "mask": mask_Bx1xS}

    def __call__(
        self, embedded_BxUxE: jax.Array, cache: Any, *, train: bool = False
    ) -> tuple[Prediction, Any]:
        """Computes vectors that predict (B, U, E), with their weights, and the cache after them.

        Args:
          embedded_BxUxE: the target's next U tokens.
          cache: of `Seq2Seq.begin`.
          train: with dropout.
        """
        x_UxBxG = self._input(0, embedded_BxUxE, train)
        run = self._fed if self.input_feeding else self._unfed
        vectors_BxUxE, cache, weights, h_BxUxH = run(x_UxBxG, cache, train)
        gate = None
        if self.copies:
            value_BxSxH = cache["memory"]["value"]
            context = jnp.matmul(weights.astype(value_BxSxH.dtype), value_BxSxH)
            gate = open_gate(*self.gate, context, h_BxUxH, embedded_BxUxE)
        vectors_BxUxE = self.drop(vectors_BxUxE.astype(self.dtype), train=train)
        return Prediction(vectors_BxUxE, weights, gate), cache

    def _unfed(self, x_UxBxG: jax.Array, cache: Any, train: bool) -> Any:
        """Runs all steps of a layer, then those of the next, then attention of all at once."""
        carry: list[Carry] = []
        for i, before in enumerate(cache["carry"], 1):
            kernel = self.kernels[f"h{i - 1}"]
            h_UxBxH, after = recurrence(self.cell, x_UxBxG, kernel, before)
            h_BxUxH = jnp.swapaxes(h_UxBxH, 0, 1)
            carry.append(after)
            if i < self.layers:
                x_UxBxG = self._input(i, h_BxUxH, train)
        vectors, weights = _predict(
            self.attention, self._times, self.biases, cache["memory"], h_BxUxH, None
        )
        return vectors, cache | {"carry": tuple(carry)}, weights, h_BxUxH

    def _fed(self, x_UxBxG: jax.Array, cache: Any, train: bool) -> Any:
        """Runs all layers and attention of a step, then those of the next."""
        cell, attention = CELLS[self.cell], self.attention

        def step(times: Times, shared: Any, state: Any, inputs: Any) -> Any:
            (carry, vector_BxE, before_BxS), (x, kept), biases = state, inputs, shared["biases"]
            x = x + times("vector", vector_BxE)
            after: list[Carry] = []
            for i, before in enumerate(carry):
                if i:
                    h = after[-1][0] * kept[i - 1] if kept else after[-1][0]
                    x = times(f"x{i}", h) + biases[f"x{i}"]
                after.append(cell.update(x, times(f"h{i}", before[0]), before))
            vectors, weights = _predict(
                attention,
                lambda name, a: times(name, a[:, 0])[:, None],
                biases,
                shared["memory"],
                after[-1][0][:, None],
                before_BxS,
            )
            vector_BxE, weights_BxS = vectors[:, 0], weights[:, 0]
            seen = None if before_BxS is None else weights_BxS
            out = (vector_BxE, weights_BxS, after[-1][0])
            return (tuple(after), vector_BxE, seen), out if self.copies else out[:2]

        steps, rows, _ = x_UxBxG.shape
        kept = []
        if train and self.dropout:
            ones = jnp.ones((rows, steps, self.hidden))
            kept = [jnp.swapaxes(self.drop(ones, train=True), 0, 1) for _ in cache["carry"][1:]]
        (carry, vector, seen), outputs = scan_products(
            step,
            {n: k for n, k in self.kernels.items() if n not in ("x0", "key")},
            {"biases": self.biases, "memory": cache["memory"]},
            (cache["carry"], cache["vector"], cache.get("weights")),
            (x_UxBxG, kept),
        )
        vectors_BxUxE, weights_BxUxS, *h_BxUxH = (jnp.swapaxes(x, 0, 1) for x in outputs)
        cache = cache | {"carry": carry, "vector": vector}
        cache |= {} if seen is None else {"weights": seen}
        return vectors_BxUxE, cache, weights_BxUxS, h_BxUxH[0] if self.copies else None

    def _input(self, i: int, x_BxUxD: jax.Array, train: bool) -> jax.Array:
        """Multiplies inputs of layer `i` by its kernel, and adds its bias, (U, B, G)."""
        x_BxUxG = self._times(f"x{i}", self.drop(x_BxUxD, train=train)) + self.biases[f"x{i}"]
        return jnp.swapaxes(x_BxUxG, 0, 1)

    def _times(self, name: str, a: jax.Array) -> jax.Array:
        return matmul(a, self.kernels[name])


def _predict(
    attention: str,
    times: Times,
    biases: Mapping[str, jax.Array],
    memory: Any,
    h_BxQxH: jax.Array,
    before_BxS: jax.Array | None,
) -> tuple[jax.Array, Any]:
    """Computes the vectors v (B, Q, E) of states h, and the weights (B, Q, S) of attention.

    `before_BxS` are the weights of the step before, for `location`, where Q is 1.
    """
    if attention == "none":
        return jnp.tanh(times("out", h_BxQxH) + biases["out"]), None
    if attention in ("additive", "location"):
        key = memory["key"]
        query = times("query", h_BxQxH).astype(key.dtype)
        if before_BxS is not None:
            filters = biases["location"].astype(key.dtype)
            key += matmul(_windows(before_BxS, _REACH), filters).astype(key.dtype)
        # Its hidden layer (B, Q, K, A) is computed again for the gradient sooner than kept.
        scores = jax.checkpoint(additive_scores)(query, key, biases["score"].astype(query.dtype))
    else:
        scores = dot_scores(h_BxQxH.astype(memory["key"].dtype), memory["key"])
    context, weights = attend(scores, memory["value"], memory["mask"])
    both = jnp.concatenate([context.astype(h_BxQxH.dtype), h_BxQxH], -1)
    return jnp.tanh(times("out", both) + biases["out"]), weights


def _windows(x_BxS: jax.Array, reach: int) -> jax.Array:
    """Puts beside each place those up to `reach` away, 0 beyond the ends: (B, S, W)."""
    padded = jnp.pad(x_BxS, ((0, 0), (reach, reach)))
    places = x_BxS.shape[1]
    return jnp.stack([padded[:, i : i + places] for i in range(2 * reach + 1)], -1)
