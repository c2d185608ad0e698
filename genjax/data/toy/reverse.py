"""`reverse`: pairs of a random string of digits and the same digits in reverse.

Trained on strings of 1 to 10 digits and tested on 1 to 15: a model that attends goes beyond the
lengths that it has seen.
"""

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.family import DataSpec
from genjax.core.tokens import EOS, NUM_SPECIALS, PAD
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset
from genjax.data.text.tokenizers import Words
from genjax.data.toy.mixtures import Generated

TRAIN_LENGTH, TEST_LENGTH = 10, 15  # the most digits
_DIGITS = 10
_TEST_EXAMPLES = 1000


def load() -> Dataset:
    """Makes an endless train split and 1,000 fixed pairs as the test split; digits are words.

    Examples are x and y, int32 (16,): digits, EOS, padding; lengths are equally likely.
    """
    codec = Words([str(i) for i in range(_DIGITS)], punctuation=False)
    rng = np.random.RandomState(0)  # its stream is frozen by NumPy's compatibility policy
    length = 1 + rng.randint(TEST_LENGTH, size=_TEST_EXAMPLES)
    digits = rng.randint(_DIGITS, size=(_TEST_EXAMPLES, TEST_LENGTH))
    test = {k: np.asarray(v, np.uint8) for k, v in _pairs(length, digits, np).items()}
    shape, size = (TEST_LENGTH + 1,), codec.vocab_size
    spec = DataSpec(
        "pair",
        shape,
        vocab_size=size,
        target_shape=shape,
        target_vocab_size=size,
        shared_vocabulary=True,
    )
    return Dataset(
        spec, Generated(_draw), Resident(test, levels=0), codec=codec, target_codec=codec
    )


def _draw(key: jax.Array, shape: tuple[int, ...]) -> dict[str, jax.Array]:
    """Draws training pairs (*shape, 16)."""
    words = jax.random.bits(key, (*shape, 1 + TEST_LENGTH))
    # The remainder favors a length or a digit by at most 10 / 2**32.
    length = 1 + (words[..., 0] % np.uint32(TRAIN_LENGTH)).astype(jnp.int32)
    return _pairs(length, (words[..., 1:] % np.uint32(_DIGITS)).astype(jnp.int32))


def _pairs(length: Any, digits: Any, xp: ModuleType = jnp) -> dict[str, Any]:
    """Makes pairs (…, 16) of the first `length` (…) of `digits` (…, 15), int32."""
    at, length = xp.arange(TEST_LENGTH + 1), length[..., None]
    backwards = xp.clip(length - 1 - at, 0, None)
    forwards = xp.broadcast_to(xp.minimum(at, TEST_LENGTH - 1), backwards.shape)

    def row(index: Any) -> Any:
        tokens = NUM_SPECIALS + xp.take_along_axis(digits, index, axis=-1)
        return xp.where(at < length, tokens, xp.where(at == length, EOS, PAD)).astype(xp.int32)

    return {"x": row(forwards), "y": row(backwards)}
