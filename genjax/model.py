"""A trained run as an object: its state, its samples, and the functions of its family."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from genjax.core.config import ConfigError, check_seed
from genjax.core.family import State, sample_key
from genjax.data.sentences import padded
from genjax.decoding import Sampling
from genjax.engine.run import Run
from genjax.predictions import Classified, TaggedWords, predict, tag
from genjax.texts import TextGenerator


class Model:
    """A trained model, or a population of them.

    Beside `sample`, it has the family's further functions (`family.functions`: `encode`, `decode`,
    `reconstruct`, `score`, …), jitted and without their first argument, the state. They take NumPy
    arrays as well, and of sentences also a list of them as strings: `model.encode(["one", "two"])`.
    On a population they work on all members at once: what they take is the same for all, what they
    return has the members as its first axis.

    Attributes:
      config: the run's, locked.
      family: the pure functions.
      run: the run made concrete: `run.dataset`, `run.executor`.
      state: of the checkpoint.
      step: of the checkpoint.
      num_members: of a population; 0 for a single model.
    """

    def __init__(self, run: Run, state: State, step: int, num_members: int):
        self.run, self.config, self.family = run, run.config, run.family
        self.state, self.step, self.num_members = state, step, num_members

    def __getattr__(self, name: str) -> Any:
        functions = self.__dict__["family"].functions if "family" in self.__dict__ else {}
        if name not in functions:
            known = ", ".join(["sample", *functions])
            raise AttributeError(f"{name!r}: this model has {known}")
        function = self._jitted(name)
        return lambda *args, **more: function(self.state, *map(self._array, args), **more)

    def tokens(self, sentences: Sequence[str]) -> np.ndarray:
        """Sentences as rows of tokens (N, T), int32: cut, ended and padded as those of the data.

        Raises:
          ConfigError: the model reads no sentences.
        """
        dataset = self.run.dataset
        if dataset.codec is None or dataset.spec.kind not in ("sentence", "pair"):
            name = self.config.data.name
            raise ConfigError(f"config.data.name={name!r}: this model reads no sentences")
        found = dataset.codec.encode_all(sentences)
        return padded(found, dataset.spec.shape[0], dataset.codec).astype(np.int32)

    def strings(self, ids: Any) -> list[str]:
        """Rows of tokens (…, T), as functions of a model of sentences return them, as strings."""
        codec = self.run.dataset.target_codec or self.run.dataset.codec
        if codec is None:
            name = self.config.data.name
            raise ConfigError(f"config.data.name={name!r}: this model writes no sentences")
        ids = np.asarray(ids)
        return [codec.decode(row) for row in ids.reshape(-1, ids.shape[-1])]

    def sample(self, n: int, seed: int | None = None) -> np.ndarray:
        """`n` examples in the range of the data, with a first axis (members,) for a population.

        Args:
          n: how many.
          seed: of the draw, 0 … 2^32 - 1; None: those that the run itself shows at this step.
        """
        state = self.state
        if seed is None:
            return np.asarray(self._sampler(n)(state))
        check_seed("seed", seed)
        return np.asarray(self._sampler(n, keyed=True)(state, jax.random.key(seed)))

    def evaluate(self) -> dict[str, np.ndarray]:
        """Means over the test split, of shape (members,) for a population."""
        if self.num_members != self.run.executor.num_members:
            raise ValueError("evaluate the population, of which this is a member")
        return self.run.executor.evaluate(self.state)

    def member(self, i: int) -> "Model":
        """Member `i` of a population, as a single model."""
        if not 0 <= i < self.num_members:
            raise IndexError(f"member {i}: must be below {self.num_members}, the number of members")
        state = jax.tree.map(lambda x: x[i], self.state.replace(step=None))  # all share the step
        return Model(self.run, state.replace(step=self.state.step), self.step, 0)

    def predict(
        self, texts: Sequence[str | Sequence[str]]
    ) -> list[Classified] | list[TaggedWords]:
        """What new texts are, by name, of a classifier of sentences or a tagger of words.

            model.predict(["a fine film"])  # [Classified(label="positive", probability=0.98)]
            model.predict(["Anna saw Rome"])  # [[("Anna", "B-PER"), ("saw", "O"), …]]

        Args:
          texts: see `genjax.predictions.classify` and `genjax.predictions.tag`.

        Raises:
          ConfigError: the family does neither, or this is a population.
        """
        return predict(self, texts)

    def tag(self, sentences: Any, chars: Any = None) -> Any:
        """The words of sentences with their tags, see `genjax.predictions.tag`.

        Args:
          sentences: strings, or lists of words; or tokens (B, T).
          chars: with tokens, those of the characters (B, T, C), if the model sees them.

        Returns:
          A list of (word, tag) for each sentence; of tokens the tags' numbers, int32 (B, T).

        Raises:
          ConfigError: the family tags no words.
        """
        if "tag" not in self.family.functions:
            raise ConfigError(f"family {self.config.family}: tags no words")
        if isinstance(sentences, (str, list, tuple)):
            return tag(self, sentences)
        return self._jitted("tag")(self.state, sentences, chars)

    def generate(self, prompts: Sequence[str] = ("",), **options: Any) -> list[str]:
        """Texts for prompts, of a family that writes: continuations, translations, ….

            model.generate(["The import statement"], max_tokens=100, temperature=0.8, top_p=0.9)

        Args:
          prompts: see `genjax.texts.TextGenerator.write`; the texts come without them.
          **options: its `n`, `max_tokens`, `seed`, `beam` and `length_penalty`, and the fields of
            `genjax.decoding.Sampling`. Without any, continuations are drawn from the model's own
            distribution, and answers are greedy.

        Raises:
          ConfigError: the family writes no text, or an option does not go with it.
        """
        drawn = {name: options.pop(name) for name in Sampling._fields if name in options}
        if not self.texts.continues:
            drawn = {"temperature": 0.0} | drawn
        written = self.texts.write(prompts, sampling=Sampling(**drawn), **options)
        return [text.text for text in written]

    @functools.cached_property
    def texts(self) -> TextGenerator:
        """What writes texts; see `generate`."""
        if self.num_members:
            raise ConfigError("a population writes no text; one member does: model.member(i)")
        return TextGenerator(self.family, self.run.dataset, self.state)

    def _array(self, argument: Any) -> Any:
        """An argument as a function takes it: strings become tokens."""
        texts = isinstance(argument, (list, tuple)) and argument and isinstance(argument[0], str)
        return self.tokens(argument) if texts else argument

    @functools.cache  # noqa: B019 - its programs live as long as the model
    def _jitted(self, name: str) -> Any:
        return self._over_members(self.family.functions[name])

    @functools.cache  # noqa: B019
    def _sampler(self, n: int, *, keyed: bool = False) -> Any:
        if keyed:
            return self._over_members(lambda state, key: self.family.draw(state, key, n))
        return self._over_members(lambda state: self.family.draw(state, sample_key(state), n))

    def _over_members(self, f: Any) -> Any:
        if not self.num_members:
            return jax.jit(f)
        axes = jax.tree.map(lambda _: 0, self.state).replace(step=None)
        return jax.jit(lambda s, *args: jax.vmap(lambda m: f(m, *args), in_axes=(axes,))(s))
