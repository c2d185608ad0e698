"""Methods of `Model` that a family may have or lack, one for each capability."""

import functools
import itertools
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax.core import arguments
from genjax.core import capabilities as can
from genjax.core.config import ConfigError
from genjax.core.family import Family, State
from genjax.core.tokens import PAD
from genjax.engine.run import Run
from genjax.generation import Sampling
from genjax.generation.texts import numbers
from genjax.trained.predictions import can_predict
from genjax.trained.reading import Reader


class Methods:
    """Calls of the family's methods, jitted, for any number of rows; see `Model`."""

    run: Run
    config: ConfigDict
    family: Family
    state: State
    num_members: int
    _read: Reader

    def strings(self, ids: Any) -> list[str]:
        """Turns rows of tokens (…, T), as a model of texts returns them, into strings."""
        return self._read.strings(ids)

    def encode(self, x: Any, labels: Any = None) -> np.ndarray:
        """Encodes examples (N, …) or texts: their codes or vectors (N, D).

        `labels`: a class for each, (N,), which a conditional model needs and no other takes.
        """
        self._need("encode")
        return self._call("encode", self._input(x), *self._labels(labels, len(x)))

    def posterior(self, x: Any, labels: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Encodes as `encode` does: mean and log-variance of q(z|x), both (N, Z)."""
        self._need("posterior")
        return tuple(self._call("posterior", self._input(x), *self._labels(labels, len(x))))

    def decode(self, codes: Any, labels: Any = None) -> Any:
        """Decodes codes (N, Z): examples (N, …), or the likeliest sentences, a list of strings.

        Args:
          codes: as `encode` gives them, or standard normal; of `flow_matching` noise, (N, …).
          labels: a class for each, (N,), of a conditional model; None: its classes in turn.
        """
        self._need("decode")
        z = arguments.codes("codes", codes, self._code_shape)
        found = self._call("decode", z, *self._labels(labels, len(z), in_turn=True))
        return self._strings(found) if isinstance(self.family, can.WritesCodes) else found

    def latents(self, n: int, seed: int = 0) -> np.ndarray:
        """Draws `n` latents (n, …), the same for all members; `decode` makes examples of them."""
        self._need("latents")
        n, key = arguments.integer("n", n), arguments.key("seed", seed)
        assert isinstance(self.family, can.DrawsLatents)
        return np.asarray(self.family.latents(self.state, key, n))

    def reconstruct(self, x: Any, labels: Any = None) -> Any:
        """Encodes and decodes examples (N, …), or texts; BERT guesses words that it hides itself.

        Returns (N, …) like `x`; of a list of texts, texts. For `labels` see `encode`.
        """
        self._need("reconstruct")
        found = self._call("reconstruct", self._input(x), *self._labels(labels, len(x)))
        return self._strings(found) if arguments.is_texts(x) else found

    def sample_at(self, labels: Any, seed: int = 0) -> np.ndarray:
        """Draws an example (N, …) of each class of `labels`, (N,), of a conditional model."""
        self._need("sample_at")
        label = arguments.labels("labels", labels, self._read.classes)
        return self._call("sample_at", label, key=arguments.key("seed", seed))

    def classify(self, x: Any) -> np.ndarray:
        """Classifies examples (N, …) or texts: probabilities (N, classes)."""
        self._need("classify")
        return self._call("classify", self._input(x))

    def score(self, x: Any, targets: Any = None, labels: Any = None) -> np.ndarray:
        """Scores examples, or computes the nats of each token of texts.

        `targets`: of a translator, a target for each of the sources `x`; for `labels` see `encode`.

        Returns:
          Of a GAN the critic's scores (N,), higher for what it takes for real, one for each pack of
          examples that it judges as one; of a model of texts nats (N, T), 0 of padding. Of running
          text the first token is not predicted: (N, T - 1).
        """
        self._need("score")
        if self._read.spec.kind == "pair":
            return self._call("score", *self._pairs(x, targets))
        if targets is not None:
            raise ConfigError("targets: is for models of pairs; this model reads no pairs")
        return self._call("score", self._input(x), *self._labels(labels, len(x)))

    def perplexity(self, texts: Any, targets: Any = None) -> np.ndarray:
        """Computes e to the mean nats of a text's tokens, EOS included; float64 (N,).

        Args:
          texts: a list of texts or tokens, of running text at least two tokens each; of a
            translator, sources.
          targets: of a translator, whose perplexity it is.
        """
        self._need("perplexity")
        of = texts
        if self._read.spec.kind == "pair":
            texts, of = self._pairs(texts, targets)
        elif self._read.spec.kind == "text" and arguments.is_texts(texts):
            rows, owner = self._read.windows("texts", texts)
            return _perplexity(self.score(rows), rows, owner)
        else:
            of = texts = self._input(texts, "texts")
        nats = self.score(texts, of if self._read.spec.kind == "pair" else None)
        return _perplexity(nats, of, np.arange(len(of)))

    def predict_masked(self, x: Any) -> Any:
        """Puts the likeliest token for each `<mask>` of texts, or MASK of tokens (N, T)."""
        self._need("predict_masked")
        found = self._call("predict_masked", self._read.input("x", x, masked=True))
        return self._strings(found) if arguments.is_texts(x) else found

    def interpolate(self, x: Any, y: Any, shares: Any) -> Any:
        """Decodes sentences on the way from x to y: of (1 - share) z_x + share z_y.

        `x` and `y` are N texts each, or tokens; `shares` are numbers (K,), in [0, 1]. Returns N
        lists of K strings, or tokens (N, K, T).
        """
        self._need("interpolate")
        share = arguments.codes("shares", shares, ())
        rows = self._input(x), self._input(y, "y")
        if len(rows[0]) != len(rows[1]):
            raise ConfigError(f"y: must hold a text for each of x, {len(rows[0])}, not {len(y)}")
        found = self._call("interpolate", *rows, more=(share,))
        return self._strings(found) if arguments.is_texts(x) else found

    def augment(self, x: Any, seed: int = 0) -> Any:
        """Draws a similar sentence for each of x: N texts, or tokens (N, T)."""
        self._need("augment")
        found = self._call("augment", self._input(x), key=arguments.key("seed", seed))
        return self._strings(found) if arguments.is_texts(x) else found

    def write(self, codes: Any, seed: int = 0, temperature: float = 1.0) -> Any:
        """Draws a sentence, a string, for each of `codes` (N, Z); `decode` takes the likeliest."""
        self._need("write")
        sampling = Sampling(temperature)
        try:
            sampling.check()
        except ValueError as error:
            raise ConfigError(str(error)) from None
        z = arguments.codes("codes", codes, self._code_shape)
        key = arguments.key("seed", seed)
        function, number = self._jitted("write"), itertools.count()

        def write(z: np.ndarray) -> Any:
            block = jax.random.fold_in(key, next(number))
            return function(self.state, z, block, numbers(sampling))

        return self._strings(self._blocks(write, z))

    def embed(self, x: Any) -> np.ndarray:
        """Embeds each token of texts in its context: vectors (N, T, D)."""
        self._need("embed")
        return self._call("embed", self._input(x))

    def embed_words(self, characters: Any) -> np.ndarray:
        """Embeds words by their characters (N, T, C), of ELMo: vectors (N, T, D)."""
        self._need("embed_words")
        found = np.asarray(characters)
        if found.ndim != 3 or found.dtype.kind not in "iu" or not found.size:
            raise ConfigError(
                f"characters: must be whole numbers (N, T, C), not {found.dtype} {found.shape}"
            )
        return self._call("embed_words", found.astype(np.int32))

    def features(self, x: Any, labels: Any = None, chars: Any = None) -> dict[str, np.ndarray]:
        """Computes the output of each layer of an encoder, critic or language model.

        Args:
          x: examples in the range of the data, texts, or tokens; of a tagger as for `tag`.
          labels: see `encode`.
          chars: of a tagger that sees them, the characters (N, T, C) of tokens.

        Returns:
          Arrays (N, …) by name: `encoder.0`, `encoder.1`, …, `encoder.code`; see the family. Of
          texts (N, T, D), where the vectors at padding mean nothing. Of a critic that judges
          packs, a row for each pack.
        """
        self._need("features")
        if isinstance(self.family, can.Tags) and isinstance(x, (str, list, tuple)):
            return self._call("features", *self._read.sentences("x", x))
        rows = self._input(x)
        if isinstance(self.family, can.Tags):
            return self._call("features", rows, *self._characters(chars, rows))
        return self._call("features", rows, *self._labels(labels, len(rows)))

    def predict_targets(self, x: Any, y: Any) -> np.ndarray:
        """Computes the logits of each token of targets y, given sources x: (N, U, tokens)."""
        self._need("predict_targets")
        return self._call("predict_targets", *self._pairs(x, y))

    def attention(self, x: Any, y: Any) -> np.ndarray:
        """Computes how tokens of targets y attend to those of sources x: (N, U, S)."""
        self._need("attention")
        return self._call("attention", *self._pairs(x, y))

    def attention_maps(self, x: Any) -> dict[str, np.ndarray]:
        """Computes how tokens of texts attend to each other: (N, H, T, T) by layer that attends."""
        self._need("attention_maps")
        return self._call("attention_maps", self._input(x))

    def vectors(self) -> np.ndarray:
        """Returns the vectors of all words, (V, D), of word2vec."""
        self._need("vectors")
        return to_numpy(self._jitted("vectors")(self.state))

    def similarity(self, words: Any) -> np.ndarray:
        """Computes the cosine of words, (N,) tokens or strings, to all words: (N, V)."""
        self._need("similarity")
        return self._call("similarity", self._read.words("words", words))

    def predict_context(self, words: Any) -> np.ndarray:
        """Computes log p of all words near some, (N,) tokens or strings, of word2vec: (N, V)."""
        self._need("predict_context")
        return self._call("predict_context", self._read.words("words", words))

    def context(self) -> int:
        """Returns how many tokens of a text a language model sees at most."""
        self._need("context")
        assert isinstance(self.family, can.HasWindow)
        return self.family.context(self.state)

    # Behind them.

    @property
    def _axis(self) -> int:
        return 1 if self.num_members else 0

    def _has(self, name: str) -> bool:
        if name in ("perplexity", "tokens", "strings") and self.run.dataset.codec is None:
            return False
        if name == "sample_at" and not self._read.classes:
            return False
        if name == "predict":
            return can_predict(self)
        return isinstance(self.family, METHODS[name])

    def _need(self, name: str) -> None:
        if not self._has(name):
            raise AttributeError(f"{name!r}: this model has {self._known()}")

    def _known(self) -> str:
        return ", ".join(name for name in METHODS if self._has(name))

    def _input(self, x: Any, name: str = "x") -> np.ndarray:
        return self._read.input(name, x)

    def _characters(self, chars: Any, x: np.ndarray) -> tuple[np.ndarray, ...]:
        needed = bool(self.config.model.get("char_filters", 0))
        return self._read.characters(chars, x, needed)

    def _labels(self, labels: Any, rows: int, *, in_turn: bool = False) -> tuple[np.ndarray, ...]:
        return self._read.labels(labels, rows, in_turn=in_turn)

    def _pairs(self, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        if y is None:
            raise ConfigError("targets: missing; this model reads pairs of sources and targets")
        rows = self._input(x), self._read.input("targets", y, target=True)
        if len(rows[0]) != len(rows[1]):
            raise ConfigError(
                f"targets: must be one for each of {len(rows[0])}, not {len(rows[1])}"
            )
        return rows

    def _strings(self, ids: np.ndarray) -> Any:
        """Turns tokens (…, T) into nested lists of strings."""
        if ids.ndim > 2:
            return [self._strings(rows) for rows in ids]
        return self.strings(ids)

    @functools.cached_property
    def _code_shape(self) -> tuple[int, ...]:
        """The shape of what `decode` takes of one example."""
        if not isinstance(self.family, can.Encodes):
            return (self.config.model.latent_dim,)
        given = self._read.template()
        found = jax.eval_shape(self._jitted("encode"), self.state, *given)
        return tuple(found.shape[self._axis + 1 :])

    def _call(self, name: str, *rows: np.ndarray, more: Any = (), key: Any = None) -> Any:
        """Calls a function of the family for all rows; with a key, block i has its own."""
        self._need(name)
        function, number = self._jitted(name), itertools.count()

        def apply(*block: np.ndarray) -> Any:
            if key is None:
                return function(self.state, *block, *more)
            i = next(number)
            return function(self.state, jax.random.fold_in(key, i) if i else key, *block, *more)

        judges = name in ("score", "features")  # a critic does, which may see several as one
        return self._blocks(apply, *rows, pack=self.config.model.get("pack", 1) if judges else 1)

    def _blocks(self, apply: Any, *rows: np.ndarray, pack: int = 1) -> Any:
        """Applies to blocks; `pack` rows have one result."""
        if len(rows[0]) % pack:
            raise ConfigError(f"x: has {len(rows[0])} examples; the critic judges {pack} as one")
        size = self._read.block(self.num_members)
        packed = [a.reshape(-1, pack, *a.shape[1:]) for a in rows]

        def unpacked(*block: np.ndarray) -> Any:
            return apply(*(a.reshape(-1, *a.shape[2:]) for a in block))

        return arguments.in_blocks(unpacked, packed, max(1, size // pack), self._axis)

    @functools.cache  # noqa: B019 - its programs live as long as the model
    def _jitted(self, name: str) -> Any:
        return self._over_members(getattr(self.family, name))

    def _over_members(self, f: Any) -> Any:
        if not self.num_members:
            return jax.jit(f)
        axes = jax.tree.map(lambda _: 0, self.state).replace(step=None)
        return jax.jit(lambda s, *args: jax.vmap(lambda m: f(m, *args), in_axes=(axes,))(s))


# Methods that a family may lack, as errors list them, and what they ask of it.
METHODS: dict[str, type] = {
    "sample": can.Samples,
    "sample_at": can.SamplesClasses,
    "generate": can.Writes,
    "encode": can.Encodes,
    "decode": can.Decodes,
    "latents": can.DrawsLatents,
    "reconstruct": can.Reconstructs,
    "posterior": can.HasPosterior,
    "classify": can.Classifies,
    "predict": object,
    "tag": can.Tags,
    "score": can.Scores,
    "perplexity": can.Scores,
    "predict_masked": can.PredictsMasked,
    "predict_targets": can.PredictsTargets,
    "interpolate": can.Interpolates,
    "augment": can.Interpolates,
    "write": can.WritesCodes,
    "embed": can.EmbedsTokens,
    "embed_words": can.EmbedsWords,
    "features": can.HasFeatures,
    "attention": can.Attends,
    "attention_maps": can.HasAttentionMaps,
    "vectors": can.HasWordVectors,
    "similarity": can.HasWordVectors,
    "predict_context": can.PredictsContext,
    "context": can.HasWindow,
    "tokens": object,
    "strings": object,
    "texts": can.Writes,
}


def to_numpy(tree: Any) -> Any:
    """Turns a pytree of arrays into NumPy arrays."""
    return jax.tree.map(np.asarray, jax.device_get(tree))


def _perplexity(nats: np.ndarray, rows: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Computes that of texts (…, N) whose rows these are; `owner` is the text of each row."""
    predicted = rows[:, rows.shape[1] - nats.shape[-1] :] != PAD
    number = np.bincount(owner, predicted.sum(1))
    if not number.all():
        i = int(np.flatnonzero(number == 0)[0])
        raise ConfigError(f"texts: text {i} has no token that is predicted; must have two")
    of_text = owner[:, None] == np.arange(len(number))
    return np.exp(nats.sum(-1, dtype=np.float64) @ of_text / number)
