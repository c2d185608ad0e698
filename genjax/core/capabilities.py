"""What a family can be used for, as protocols: `isinstance(family, Encodes)` asks for it.

Every method is a pure function of a state and of arrays, and can be jitted alone. A family
satisfies a protocol by having its methods; nothing is registered. `isinstance` looks at names
alone, so no name has two meanings.
"""

import inspect
from typing import Any, Protocol, runtime_checkable

import jax

from genjax.core.config import ConfigError
from genjax.core.family import Family, State


@runtime_checkable
class Samples(Protocol):
    """Draws examples."""

    def sample(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws `n` examples (n, …) in the range of the data."""


@runtime_checkable
class SamplesClasses(Protocol):
    """Draws examples of classes that are asked for."""

    def sample_at(self, state: State, key: jax.Array, label_B: jax.Array) -> jax.Array:
        """Draws an example (B, …) of each label."""


@runtime_checkable
class Encodes(Protocol):
    """Encodes examples as codes or vectors."""

    def encode(self, state: State, x: jax.Array, *labels: Any) -> jax.Array:
        """Encodes examples (B, …): codes (B, D)."""


@runtime_checkable
class HasPosterior(Protocol):
    """Knows how sure it is of a code."""

    def posterior(self, state: State, x: jax.Array, *labels: Any) -> tuple[jax.Array, jax.Array]:
        """Computes mean and log-variance of q(z|x), both (B, Z)."""


@runtime_checkable
class Decodes(Protocol):
    """Decodes codes to examples."""

    def decode(self, state: State, z_BxZ: jax.Array, *labels: Any) -> jax.Array:
        """Decodes codes (B, Z): examples (B, …)."""


@runtime_checkable
class DrawsLatents(Decodes, Protocol):
    """Samples by decoding noise: `sample` is `decode` of `latents` of the same key, row by row."""

    def latents(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws `n` standard normal latents (n, …)."""


@runtime_checkable
class Reconstructs(Protocol):
    """Takes examples through its code, or its own noise, and back."""

    def reconstruct(self, state: State, x: jax.Array, *labels: Any) -> jax.Array:
        """Reconstructs examples (B, …)."""


@runtime_checkable
class Classifies(Protocol):
    """Tells the class of an example."""

    def classify(self, state: State, x: jax.Array) -> jax.Array:
        """Computes the probability of each class, (B, C)."""


@runtime_checkable
class Tags(Protocol):
    """Tells the tag of each word of a sentence."""

    def tag(self, state: State, x_BxT: jax.Array, *chars: Any) -> jax.Array:
        """Finds the likeliest tags (B, T) of words, which may need their characters (B, T, C)."""


@runtime_checkable
class Scores(Protocol):
    """Scores examples, or the tokens of texts."""

    def score(self, state: State, x: jax.Array, *targets: jax.Array) -> jax.Array:
        """Computes a critic's scores (B,), or nats of each token (B, T).

        Pairs need their targets, and examples of a conditional model their labels.
        """


@runtime_checkable
class Writes(Protocol):
    """Writes texts token by token; `genjax.generation` samples and searches with these two.

    Attributes:
      continues_text: whether a text continues its prompt; otherwise it answers a source.
    """

    continues_text: bool

    def prefill(self, state: State, x_BxS: jax.Array) -> tuple[jax.Array, Any]:
        """Reads prompts or sources: logits (B, V) of what follows, and the cache behind them."""

    def decode_step(self, state: State, cache: Any, token_B: jax.Array) -> tuple[jax.Array, Any]:
        """Reads one token more: logits (B, V) of the next one, and the cache behind it."""


@runtime_checkable
class PredictsTargets(Protocol):
    """Knows how likely each token is at each place of a target."""

    def predict_targets(self, state: State, x_BxS: jax.Array, y_BxU: jax.Array) -> jax.Array:
        """Computes logits (B, U, V) of each token of targets, given sources and what is before."""


@runtime_checkable
class WritesCodes(Protocol):
    """Writes texts from codes."""

    def prefill_codes(self, state: State, z_BxZ: jax.Array) -> tuple[jax.Array, Any]:
        """Begins texts of codes: logits (B, V) of the first tokens, and the cache behind BOS."""

    def write(self, state: State, z_BxZ: jax.Array, key: jax.Array, options: Any) -> jax.Array:
        """Draws a text (B, T) from each code; `options` are a `genjax.generation.Sampling`."""


@runtime_checkable
class HasWindow(Protocol):
    """Sees so many tokens of a text and no more."""

    def context(self, state: State) -> int:
        """Returns the most tokens of a text."""


@runtime_checkable
class PredictsMasked(Protocol):
    """Guesses tokens that are hidden."""

    def predict_masked(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Replaces each MASK by its likeliest token."""


@runtime_checkable
class Attends(Protocol):
    """Shows what its predictions attend to."""

    def attention(self, state: State, x_BxS: jax.Array, y_BxU: jax.Array) -> jax.Array:
        """Computes how tokens of targets attend to those of sources, (B, U, S)."""


@runtime_checkable
class EmbedsTokens(Protocol):
    """Embeds each token of a text in its context."""

    def embed(self, state: State, x_BxT: jax.Array) -> jax.Array:
        """Computes vectors (B, T, D)."""


@runtime_checkable
class EmbedsWords(EmbedsTokens, Protocol):
    """Embeds words, known or not, by their characters."""

    def embed_words(self, state: State, chars_BxTxC: jax.Array) -> jax.Array:
        """Computes vectors (B, T, D) of words that are given by their characters."""


@runtime_checkable
class Interpolates(Reconstructs, Protocol):
    """Writes what lies between two sentences, and sentences like one."""

    def interpolate(self, state: State, x: jax.Array, y: jax.Array, share_K: jax.Array) -> Any:
        """Decodes codes on the way from x to y: (B, K, T)."""

    def augment(self, state: State, key: jax.Array, x: jax.Array, options: Any = ...) -> jax.Array:
        """Draws a similar sentence (B, T) for each of x; `options`: `Sampling` of its words."""


@runtime_checkable
class HasWordVectors(Protocol):
    """Has a vector for each word of its vocabulary."""

    def vectors(self, state: State) -> jax.Array:
        """Returns the vectors (V, D)."""

    def similarity(self, state: State, token_B: jax.Array) -> jax.Array:
        """Computes the cosines (B, V) of words with all words."""


@runtime_checkable
class PredictsContext(Protocol):
    """Knows which words stand near a word."""

    def predict_context(self, state: State, token_B: jax.Array) -> jax.Array:
        """Computes the log-probabilities (B, V) of all words near a word."""


@runtime_checkable
class HasFeatures(Protocol):
    """Shows what the layers of its encoder, critic or network make of examples.

    This is the contract that transfer builds on. Names say network and layer, counted from the
    input: `encoder.1`, `critic.0`, `stack.3`; a code that the encoder ends in is `encoder.code`.
    """

    def features(self, state: State, x: jax.Array, *labels: Any) -> dict[str, jax.Array]:
        """Computes the output of each layer, by its name: (B, …), of texts (B, T, D)."""


@runtime_checkable
class HasAttentionMaps(Protocol):
    """Shows what each place of its input attends to, layer by layer."""

    def attention_maps(self, state: State, x_BxT: jax.Array) -> dict[str, jax.Array]:
        """Computes the weights (B, H, T, T) of each layer that attends, by the layer's name."""


def as_sampler(family: Any) -> Samples:
    """Returns the family as one that draws samples.

    Raises:
      ConfigError: it draws none.
    """
    if not isinstance(family, Samples):
        raise ConfigError("this model makes no samples: it answers to what it is given")
    return family


def uses(family: Family) -> set[str]:
    """Names the public methods of `(state, …)` that a family has beside its contract."""
    return {
        name
        for name, method in inspect.getmembers(type(family), inspect.isfunction)
        if not (name.startswith("_") or name.endswith("inputs") or name in ("step", "evaluate"))
        and list(inspect.signature(method).parameters)[1:2] == ["state"]
    }
