"""The contract between a model family and the engine: pure functions over one state."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from ml_collections import ConfigDict

Batch = dict[str, jax.Array]
Metrics = dict[str, jax.Array]


class State(struct.PyTreeNode):
    """All that a run carries from one step to the next, as one immutable pytree.

    Attributes:
      step: int32 scalar, the number of updates made.
      key: typed PRNG key, the root of all randomness of the run; never changes.
      params: trained parameters, one entry a network.
      opt_state: one optimizer state for each optimizer section of the config, under
        the section's name (`optimizer`, `critic_optimizer`).
      variables: what networks carry beside parameters (batch statistics, …), one entry a network.
      ema: exponential moving averages of `params` entries; empty where none is kept.
    """

    step: jax.Array
    key: jax.Array
    params: dict[str, Any]
    opt_state: dict[str, Any]
    variables: dict[str, Any] = struct.field(default_factory=dict)
    ema: dict[str, Any] = struct.field(default_factory=dict)

    @property
    def eval_params(self) -> dict[str, Any]:
        """What evaluation and all uses compute with: a network's average where one is kept."""
        return self.params | self.ema


class DataSpec(NamedTuple):
    """What a family must know about the data before it sees any.

    Attributes:
      kind: `"image"` (x in [0, 1], shape (height, width, channels)), `"point"` (x in R^d), or of
        int32 tokens (see `genjax.core.tokens`): `"text"` (a window of a running text, all of it
        tokens), `"sentence"` (a text, EOS where it ends, padded), `"pair"` (a sentence x and the
        sentence y that it is to become), `"tagged"` (words, padded, with a tag each), `"passage"`
        (a piece of a running text, of which no two overlap).
      shape: shape of one example.
      num_classes: number of labels, of an example or of a word; 0 where there are none.
      center, scale: `(x - center) / scale` is standardized: [-1, 1] for images, unit
        standard deviation for points.
      vocab_size: number of tokens, the special ones included; 0 where there are none.
      token_counts: how often each token stands in the training split, where `kind` is `"passage"`.
      word_parts: a byte for each token, where tokens may be parts of words: 1 if it begins with a
        letter, digit or underscore, plus 2 if it ends with one; see `genjax.data.text.masking`. For
        kinds `"text"` and `"sentence"`.
      spellings: the words that tokens stand for, without the special tokens, where tokens are
        words; for the same kinds and `"tagged"`.
      target_shape, target_vocab_size: of y, for pairs.
      shared_vocabulary: whether x and y of pairs have one: an id means the same in both.
      task_classes: number of classes of each task, where there are several; `num_classes` is that
        of the first.
      char_shape, char_vocab_size: of the words' characters, (T, C), for tagged words.
    """

    kind: str
    shape: tuple[int, ...]
    num_classes: int = 0
    center: float = 0.5
    scale: float = 0.5
    vocab_size: int = 0
    target_shape: tuple[int, ...] = ()
    target_vocab_size: int = 0
    char_shape: tuple[int, ...] = ()
    char_vocab_size: int = 0
    token_counts: tuple[int, ...] = ()
    word_parts: bytes = b""
    spellings: tuple[str, ...] = ()
    shared_vocabulary: bool = False
    task_classes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """A model family: settings and networks as fields, pure functions of a state as methods.

    Families are frozen dataclasses below this one, and two are equal only if they are one object.
    Their losses are methods `NAME_loss(params, rows, shared, part=0) -> (value, metrics)`: `rows`
    is a batch with its noise, whose parts may be worked on one after the other,
    `shared` what all its parts have in common (weights that follow a schedule, keys of dropout),
    and `part` the number of the part. `inputs(state, batch) -> (rows, shared)`, or
    `NAME_inputs` where there are several, makes them. What else a family can do is said by the
    protocols that it satisfies; see `genjax.core.capabilities`.

    Attributes:
      spec: of the data.
      batch_size: examples of a batch, global, over all devices and processes.
      total_steps: length of the run, for schedules.
      accumulate_steps: equal parts of a batch whose gradients are summed.
      ema_decay: of the moving average of the networks that are used; 0: none is kept.
      precision: of compute, float32 or bfloat16.
    """

    spec: DataSpec
    batch_size: int
    total_steps: int
    accumulate_steps: int = 1
    ema_decay: float = 0.0
    precision: str = "float32"

    has_prior: ClassVar[bool] = True  # whether samples are meant to look like the data

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Leading axes of every leaf of a training batch.

        The last of them is the batch, those before it are inner updates: (n_critic, batch_size).
        """
        return (self.batch_size,)

    @property
    def stacks(self) -> tuple[Any, ...]:
        """Settings (`genjax.models.layers.Layers`) of stacks of layers that devices can share.

        Empty: it has none. See `genjax.core.split`.
        """
        return ()

    def init(self, key: jax.Array) -> State:
        """Makes the state at step 0 from the run's root key."""
        raise NotImplementedError

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """Makes one update; the metrics are float32 scalars."""
        raise NotImplementedError

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums numbers over the examples whose `batch["mask"]` is 1, their number as `count`.

        So their means do not depend on how examples were cut into batches.
        """
        raise NotImplementedError

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """Turns means over a split, each (…) or (members, …), into the numbers to report."""
        return means


def shared_fields(config: ConfigDict, spec: DataSpec, total_steps: int) -> dict[str, Any]:
    """Returns the fields that every family has, for its constructor."""
    names = ("batch_size", "accumulate_steps", "ema_decay", "precision")
    return {"spec": spec, "total_steps": total_steps} | {name: config[name] for name in names}


def compute_dtype(precision: str) -> Any:
    """The dtype of compute for `config.precision`; parameters and reductions stay float32."""
    return jnp.bfloat16 if precision == "bfloat16" else jnp.float32


def new_state(key: jax.Array, **fields: Any) -> State:
    """The state at step 0 with root key `key`; every leaf strongly typed, so nothing recompiles."""
    state = State(step=jnp.zeros((), jnp.int32), key=key, **fields)
    strong: State = jax.tree.map(_strong, state)
    return strong


def _strong(x: Any) -> jax.Array:
    x = jnp.asarray(x)
    return (
        x
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        else jax.lax.convert_element_type(x, x.dtype)
    )
