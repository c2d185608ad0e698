"""A trained run as an object: its state, its samples, and the methods of its family."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from genjax.core import arguments, draws
from genjax.core.capabilities import DrawsLatents, uses
from genjax.core.config import ConfigError
from genjax.core.family import State
from genjax.core.random import sample_key
from genjax.engine.run import Run
from genjax.generation import Sampling
from genjax.generation.texts import TextGenerator
from genjax.trained.methods import METHODS, Methods, to_numpy
from genjax.trained.predictions import Classified, TaggedWords, predict, tag
from genjax.trained.reading import Reader


class Model(Methods):
    """A trained model, or a population of them; `dir(model)` has the methods that it can serve.

    Arrays may be NumPy's, JAX's or lists; what comes back are NumPy arrays. Pictures are floats in
    [0, 1], or bytes, uint8, which are divided by 255. Of a model of texts, a list of strings is
    taken wherever tokens are, and where a result is texts, it is a list of strings then as well;
    given tokens, int32 (N, T), it is tokens, which `strings` reads.

    Any number of rows will do: programs take some of them at a time. On a population all members
    work at once: what they take is the same for all, what they return has the members as its first
    axis. To use under one's own `jit`, `model.family` has the same methods as pure functions of a
    state and of arrays, and with them the steps of decoders.

    A wrong argument raises `ConfigError`, which is a `ValueError`; a method that the family lacks
    raises `AttributeError`.

    Attributes:
      config: the run's, locked.
      family: the networks and what is computed with them.
      run: the run made concrete: `run.dataset`, `run.executor`.
      state: of the checkpoint.
      step: of the checkpoint.
      num_members: of a population; 0 for a single model.
    """

    def __init__(self, run: Run, state: State, step: int, num_members: int):
        self.run, self.config, self.family = run, run.config, run.family
        self.state, self.step, self.num_members = state, step, num_members
        self._read = Reader(run.dataset, bool(run.config.model.get("conditional", False)))

    def __dir__(self) -> Iterator[str]:
        missing = {name for name in METHODS if not self._has(name)}
        return (name for name in super().__dir__() if name not in missing)

    def __getattr__(self, name: str) -> Any:
        """Returns methods of a family of one's own, jitted and without the state."""
        family = self.__dict__.get("family")
        if family is None or name not in uses(family):
            raise AttributeError(f"{name!r}: this model has {self._known()}")
        function = self._jitted(name)
        return lambda *args, **more: to_numpy(function(self.state, *args, **more))

    # What every model has.

    def sample(self, n: int, seed: int | None = None, labels: Any = None) -> np.ndarray:
        """Draws `n` examples in the range of the data, with a first axis (members,) of populations.

            model.sample(16, labels="Trouser")  # of a conditional model; or labels=1
            model.sample(30, labels=["Bag", 1, 7])  # in turn, each ten times

        Args:
          n: how many, at least 1.
          seed: of the draw, 0 … 2^32 - 1; None: as the run itself shows at this step.
          labels: of a conditional model, classes by number or by the name that the data have for
            them: one, or several that are drawn in turn, at most `n`; None or "all": all of them.

        Returns:
          (n, *shape of an example); of a model of texts tokens, see `strings`.

        Raises:
          ConfigError: the family makes no samples, or an argument is out of range.
        """
        n = arguments.integer("n", n)
        key = None if seed is None else arguments.key("seed", seed)
        label = self._read.classes_of(labels, n)
        size = self._read.draws(self.num_members)
        if n <= size or isinstance(self.family, DrawsLatents):
            return np.asarray(self._sampler(n, keyed=key is not None)(self.state, key, None, label))
        draw, blocks = self._sampler(size, keyed=key is not None), range(-(-n // size))
        label_of = [None if label is None else np.roll(label, -i * size)[:size] for i in blocks]
        parts = [np.asarray(draw(self.state, key, i or None, label_of[i])) for i in blocks]
        return np.concatenate(parts, self._axis).take(range(n), self._axis)

    def evaluate(self) -> dict[str, np.ndarray]:
        """Evaluates on the test split: means by name, of shape (members,) for a population."""
        if self.num_members != self.run.executor.num_members:
            raise ConfigError("evaluate: ask the population, of which this is a member")
        return {name: np.asarray(x) for name, x in self.run.executor.evaluate(self.state).items()}

    def member(self, i: int) -> "Model":
        """Takes member `i` of a population, as a single model."""
        if not self.num_members:
            raise IndexError(f"member {i}: this is a single model")
        if not 0 <= arguments.integer("i", i, -(2**31)) < self.num_members:
            raise IndexError(f"member {i}: must be below {self.num_members}, the number of members")
        state = jax.tree.map(lambda x: x[i], self.state.replace(step=None))  # all share the step
        return Model(self.run, state.replace(step=self.state.step), self.step, 0)

    # Texts.

    def predict(self, texts: Sequence[str | Sequence[str]]) -> list[Classified] | list[TaggedWords]:
        """Names the class of new texts, or the tags of their words.

            model.predict(["a fine film"])  # [Classified(label="positive", probability=0.98)]
            model.predict(["Anna saw Rome"])  # [[("Anna", "B-PER"), ("saw", "O"), …]]

        For `texts` see `genjax.trained.predictions.classify` and `genjax.trained.predictions.tag`.

        Raises:
          ConfigError: the family does neither, or this is a population.
        """
        return predict(self, texts)

    def tag(self, sentences: Any, chars: Any = None) -> Any:
        """Tags the words of sentences, see `genjax.trained.predictions.tag`.

        Args:
          sentences: strings, or lists of words; or tokens (B, T).
          chars: with tokens, those of the characters (B, T, C), if the model sees them.

        Returns:
          A list of (word, tag) for each sentence; of tokens the tags' numbers, int32 (B, T).

        Raises:
          ConfigError: sentences are none, or this is a population.
        """
        self._need("tag")
        if isinstance(sentences, (str, list, tuple)):
            return tag(self, sentences)
        x = self._input(sentences, "sentences")
        return self._call("tag", x, *self._characters(chars, x))

    def tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Turns texts into rows of tokens (N, T), int32, padded as those of the data.

        A sentence ends in EOS and is cut where those of the data were, which is logged. A piece of
        running text has no EOS and must not be longer than the model sees.

        Raises:
          ConfigError: the model reads no texts, or these are none.
        """
        return self._read.tokens("texts", texts)

    def generate(
        self,
        prompts: Sequence[str] = ("",),
        *,
        n: int = 1,
        max_tokens: int = 0,
        seed: int = 0,
        temperature: float | None = None,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        no_repeat: int = 0,
        beam: int = 0,
        length_penalty: float = 0.6,
    ) -> list[str]:
        """Writes texts for prompts, of a family that writes: continuations, translations, ….

            model.generate(["The import statement"], max_tokens=100, temperature=0.8, top_p=0.9)

        Args:
          prompts: see `genjax.generation.texts.TextGenerator.write`; the texts come without them.
          n: texts for each prompt.
          max_tokens: of a text; 0: the longest answer of the training data, or 200.
          seed: of draws, 0 … 2^32 - 1.
          temperature: 0 takes the likeliest token; None: 1 for continuations, 0 for answers.
          top_k, top_p, min_p, repetition_penalty, no_repeat: see `genjax.generation.Sampling`.
          beam: width of beam search, at least `n`; 0: texts are drawn.
          length_penalty: of beam search.

        Raises:
          ConfigError: the family writes no text, or an option is out of range.
        """
        if temperature is None:
            temperature = 1.0 if self.texts.continues else 0.0
        sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty, no_repeat)
        written = self.texts.write(
            prompts,
            n=n,
            max_tokens=max_tokens,
            seed=seed,
            sampling=sampling,
            beam=beam,
            length_penalty=length_penalty,
        )
        return [text.text for text in written]

    @functools.cached_property
    def texts(self) -> TextGenerator:
        """The writer of texts; see `generate`."""
        if self.num_members:
            raise ConfigError("a population writes no text; one member does: model.member(i)")
        return TextGenerator(self.family, self.run.dataset, self.state)

    @functools.cache  # noqa: B019
    def _sampler(self, n: int, *, keyed: bool) -> Any:
        most = draws.pass_size(self._read.spec, self.num_members)

        def draw(state: State, key: Any, block: Any, label: Any) -> Any:
            key = key if keyed else sample_key(state)
            key = key if block is None else jax.random.fold_in(key, block)
            return draws.draw(self.family, state, key, n, most, label)

        return self._over_members(draw)
