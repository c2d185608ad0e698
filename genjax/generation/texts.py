"""Texts from trained models: prompts in, texts out."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from genjax.core import arguments, checks
from genjax.core.capabilities import Writes
from genjax.core.config import MAX_SEED, ConfigError
from genjax.core.family import Family, State
from genjax.core.tokens import EOS, PAD
from genjax.data.source import Dataset
from genjax.data.text.sentences import ended
from genjax.generation import (
    PLAIN,
    Sampling,
    Text,
    advance,
    beam_search,
    begin,
    decoder_of,
    generate,
)

CONTINUATION = 200  # tokens of one, unless said otherwise
_MOST = 2**20  # tokens of a text, and texts of a beam: arrays on the device have as many
_AT_ONCE = 64  # rows of a program
_NARROWEST = 8  # places for a prompt


class Written(NamedTuple):
    """A text that a model wrote.

    Attributes:
      prompt, ids: the tokens that it was given, as far as it sees them, and those that it wrote.
      text: of `ids`; for a continuation `prompt + text` reads on.
      score: of beam search, -inf where it found fewer texts than asked for; else 0.
    """

    prompt: list[int]
    ids: list[int]
    text: str
    score: float = 0.0


def answers(family: Family) -> bool:
    """Says whether the family answers sources, as translations and reconstructions do."""
    return isinstance(family, Writes) and not family.continues_text


class TextGenerator:
    """What turns a family's decoder into texts.

    Prompts are padded to a power of two, the buffer of what is written as well, and their number
    to a power of four: few programs are compiled, whatever the lengths.

    Attributes:
      continues: whether texts continue their prompts; otherwise they answer sources, as
        translations and reconstructions do.
      window: tokens that a model sees at most; 0: any number.
      longest: tokens of an answer at most; 0: any number.

    Args:
      family: one that `Writes`.
      dataset: that it was trained on.
      state: of the family, one member.
      prefix: what stands before the names of arguments in errors.
    """

    def __init__(self, family: Family, dataset: Dataset, state: State, prefix: str = ""):
        if not isinstance(family, Writes) or dataset.codec is None:
            raise ConfigError("this model writes no text")
        self._family, self._state, spec = family, state, dataset.spec
        self._codec = dataset.codec
        self._answer_codec = dataset.target_codec or dataset.codec
        self._prefix = prefix
        self.continues = family.continues_text
        self.window = decoder_of(family, state).window
        self._widest = self.window - 1 if self.continues else spec.shape[0]
        self.longest = 0 if self.continues else (spec.target_shape or spec.shape)[0]

    def write(
        self,
        prompts: Sequence[str],
        *,
        n: int = 1,
        max_tokens: int = 0,
        seed: int = 0,
        sampling: Sampling = PLAIN,
        beam: int = 0,
        length_penalty: float = 0.6,
    ) -> list[Written]:
        """Writes `n` texts for each prompt, those of the first prompt first.

        A text depends on its place in the list, the seed and its own prompt alone.

        Args:
          prompts: an empty one counts as none. Only the last half of a window counts of one that
            fills it; a source is cut where the training data were.
          n: texts for each: draws, or those that beam search scores highest.
          max_tokens: of a text; 0: `longest`, or 200.
          seed: of draws.
          sampling: how to draw; beam search follows its repetition control.
          beam: width of beam search; 0: texts are drawn, or greedy at temperature 0.
          length_penalty: of beam search, alpha of `genjax.generation.length_penalty`.

        Raises:
          ConfigError: an option is out of range, or goes with the model or the others not.
        """
        self._check(n, max_tokens, seed, sampling, beam, length_penalty)
        prompts = arguments.texts(f"{self._prefix}prompts", prompts)
        limit, given = self._limit(max_tokens), [self._encode(p, bool(beam)) for p in prompts]
        if beam and n > beam:
            raise self._error("n", n, f"must be at most {self._prefix}beam={beam}")
        if not beam:
            given = [ids for ids in given for _ in range(n)]
        sampling, key = numbers(sampling), jax.random.key(seed)
        written: dict[int, list[Written]] = {}
        for indices in self._batches(given):
            # Rows beyond the last one are the first one again: they end when it does.
            rows = [*indices, *indices[:1] * (_power(len(indices), 4) - len(indices))]
            x_BxS = self._padded([given[i] for i in rows], self._room(max_tokens) if beam else 0)
            if beam:
                found = self._beam(x_BxS, max_tokens, sampling, beam, n, length_penalty)
            else:
                size = _power(limit)
                index_B = np.array(rows, np.int32)
                ids = self._generate(
                    self._state, x_BxS, key, index_B, sampling, np.int32(limit), size=size
                )
                found = ids[:, None], np.zeros((len(rows), 1))
            for i, texts, scores in zip(indices, *jax.device_get(found)):
                written[i] = [
                    self._text(given[i], _up_to_padding(ids), float(score))
                    for ids, score in zip(texts, scores)
                ]
        return [text for i in range(len(given)) for text in written[i]]

    def stream(
        self, prompt: str, *, max_tokens: int = 0, seed: int = 0, sampling: Sampling = PLAIN
    ) -> Iterator[str]:
        """Yields the first text of `write`, in pieces as they are written."""
        self._check(1, max_tokens, seed, sampling)
        limit, given, sampling = self._limit(max_tokens), self._encode(prompt), numbers(sampling)
        x_BxS, key = self._padded([given]), jax.random.key(seed)
        text = self._begin(self._state, x_BxS, key, size=_power(limit))
        shown = ""
        for count in range(1, limit + 1):
            text = self._advance(self._state, text, sampling, np.int32(count))
            ids = np.asarray(text.ids_BxL)[0, :count].tolist()
            whole, ended = self._text(given, ids).text, ids[-1] == EOS
            # A character may be several tokens, of which the first ones decode to nothing yet.
            if whole.startswith(shown) and (ended or not whole.endswith("\ufffd")):
                yield whole[len(shown) :]
                shown = whole
            if ended:
                return
        if whole.startswith(shown):
            yield whole[len(shown) :]

    def _beam(
        self,
        x_BxS: np.ndarray,
        max_tokens: int,
        sampling: Sampling,
        beam: int,
        n: int,
        alpha: float,
    ) -> Any:
        limit, most = self._limit(max_tokens), self.window - x_BxS.shape[1] - 1
        if self.window and limit > most:
            if max_tokens or most < 1:
                allowed = f"beam search stays within the {self.window} tokens that the model sees"
                raise self._error("max_tokens", limit, f"{allowed}; must be at most {most}")
            limit = most
        size = _power(limit)
        return self._search(
            self._state,
            x_BxS,
            np.int32(limit),
            np.float32(alpha),
            sampling,
            size=min(size, most) if self.window else size,
            width=beam,
            n_best=n,
        )

    def _check(
        self,
        n: int,
        max_tokens: int,
        seed: int,
        sampling: Sampling,
        beam: int = 0,
        length_penalty: float = 0.0,
    ) -> None:
        prefix = self._prefix
        for name, value, least, most in (
            ("n", n, 1, math.inf),
            ("max_tokens", max_tokens, 0, _MOST),
            ("seed", seed, 0, MAX_SEED),
            ("beam", beam, 0, _MOST),
        ):
            arguments.integer(prefix + name, value, least, most)
        try:
            sampling.check(prefix)
            checks.number(f"{prefix}length_penalty", length_penalty, 0)
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def _limit(self, max_tokens: int) -> int:
        if self.longest and max_tokens > self.longest:
            what = f"must be at most {self.longest}, the longest answer of the training data"
            raise self._error("max_tokens", max_tokens, what)
        return max_tokens or self.longest or CONTINUATION

    def _error(self, name: str, value: Any, allowed: str) -> ConfigError:
        return ConfigError(f"{self._prefix}{name}={value}: {allowed}")

    def _encode(self, prompt: str, beam: bool = False) -> list[int]:
        """Returns the tokens of a prompt or source that the model is given.

        Beam search never leaves the window: BOS, the prompt and a token at least must fit into it.
        """
        ids = list(self._codec.encode(prompt))
        if not self.continues:
            return ended(ids, self._widest).tolist()
        too_many = self.window - (2 if beam else 0)
        return ids[-max(self.window // 2, 1) :] if self.window and len(ids) >= too_many else ids

    def _room(self, max_tokens: int) -> int:
        """Returns how many places beam search leaves to prompts in the window; 0: any number."""
        return max(1, self.window - 1 - max(1, max_tokens)) if self.window else 0

    def _padded(self, rows: Sequence[Sequence[int]], room: int = 0) -> np.ndarray:
        longest = max(map(len, rows))
        width = max(_NARROWEST, _power(longest))
        if room:  # a power of two would take places that are to be written
            width = min(max(_NARROWEST, -(-longest // 8) * 8), max(longest, room))
        width = min(width, self._widest) if self._widest > 0 else width
        return np.array([[*ids, *[PAD] * (width - len(ids))] for ids in rows], np.int32)

    def _batches(self, given: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Indices of rows that go into one program, of similar lengths."""
        order = sorted(range(len(given)), key=lambda i: _power(len(given[i])))
        for _, same in itertools.groupby(order, key=lambda i: _power(len(given[i]))):
            rows = list(same)
            yield from (rows[i : i + _AT_ONCE] for i in range(0, len(rows), _AT_ONCE))

    def _text(self, given: list[int], ids: list[int], score: float = 0.0) -> Written:
        if not self.continues:
            return Written(given, ids, self._answer_codec.decode(ids), score)
        before = self._codec.decode(given)
        return Written(given, ids, self._codec.decode([*given, *ids]).removeprefix(before), score)

    # The programs: the state is their argument, or its parameters would be constants of theirs.

    @functools.cached_property
    def _generate(self) -> Callable[..., Any]:
        def write(
            state: State,
            x_BxS: jax.Array,
            key: jax.Array,
            index_B: jax.Array,
            *args: Any,
            size: int,
        ) -> jax.Array:
            key_B = jax.vmap(jax.random.fold_in, (None, 0))(key, index_B)
            return generate(decoder_of(self._family, state), x_BxS, key_B, *args, size=size)

        return jax.jit(write, static_argnames="size")

    @functools.cached_property
    def _begin(self) -> Callable[..., Text]:
        return jax.jit(
            lambda state, *args, size: begin(decoder_of(self._family, state), *args, size=size),
            static_argnames="size",
        )

    @functools.cached_property
    def _advance(self) -> Callable[..., Text]:
        return jax.jit(
            lambda state, *args: advance(decoder_of(self._family, state), *args), donate_argnums=1
        )

    @functools.cached_property
    def _search(self) -> Callable[..., Any]:
        def search(
            state: State,
            x_BxS: jax.Array,
            limit: Any,
            alpha: Any,
            sampling: Sampling,
            **static: int,
        ) -> Any:
            return beam_search(
                decoder_of(self._family, state),
                x_BxS,
                limit,
                alpha=alpha,
                repetition_penalty=sampling.repetition_penalty,
                no_repeat=sampling.no_repeat,
                **static,
            )

        return jax.jit(search, static_argnames=("size", "width", "n_best"))


def _power(n: int, base: int = 2) -> int:
    """Returns the smallest power of `base` that is at least `n`."""
    power = 1
    while power < n:
        power *= base
    return power


def _up_to_padding(ids: np.ndarray) -> list[int]:
    return ids[ids != PAD].tolist()


def numbers(sampling: Sampling) -> Sampling:
    """Returns it with the same types for all values, so that none makes a program of its own."""
    return Sampling(
        *(
            np.int32(value) if name in ("top_k", "no_repeat") else np.float32(value)
            for name, value in sampling._asdict().items()
        )
    )
