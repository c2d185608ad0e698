"""ELMo's network: words from their characters, LSTMs from both sides, layers that are mixed.

Source: Peters et al. 2018 (Deep contextualized word representations), sections 3.1 to 3.4, with
characters as in Jozefowicz et al. 2016 (Exploring the limits of language modeling);
`genjax.families.elmo` lists what differs.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from genjax.core import tokens
from genjax.models.characters import CharacterCNN
from genjax.models.dense import Dropout
from genjax.models.features import offer
from genjax.models.recurrent import Direction
from genjax.ops.recurrence import zero_carry

# Characters are the bytes of a word's UTF-8, behind a mark of its begin and before one of its end;
# special tokens have one each that nothing else has.
_BEGIN, _END, _FIRST_BYTE = 1, 2, 3
_FIRST_SPECIAL = _FIRST_BYTE + 256
NUM_CHARACTERS = _FIRST_SPECIAL + tokens.NUM_SPECIALS


def spell(words: Sequence[str], length: int) -> np.ndarray:
    """Spells words in characters, int32 (N, length), padded by 0; longer words are cut.

    Args:
      words: any, of the vocabulary or not.
      length: at least 3.
    """
    rows = np.zeros((len(words), length), np.int32)
    for row, word in zip(rows, words):
        ids = [_FIRST_BYTE + b for b in word.encode("utf-8", "surrogatepass")[: length - 2]]
        row[: len(ids) + 2] = [_BEGIN, *ids, _END]
    return rows


def spell_vocabulary(spellings: Sequence[str], length: int) -> np.ndarray:
    """Spells all tokens by id, int32 (V, length); PAD has no characters.

    Args:
      spellings: of `DataSpec`: the words that tokens stand for, without the special tokens.
      length: see `spell`.
    """
    special = np.zeros((tokens.NUM_SPECIALS, length), np.int32)
    special[:, 0] = _FIRST_SPECIAL + np.arange(tokens.NUM_SPECIALS)
    special[tokens.PAD] = 0
    return np.concatenate([special, spell(spellings, length)])


class BiLM(nn.Module):
    """A network from characters to vectors of each word, layer by layer and from both sides.

    Layer 0 is the word itself: a character CNN and a projection. Each LSTM above it has one network
    for each direction, a projection back to the layer's width, and a residual connection.

    Attributes:
      width: of a layer, in each direction.
      hidden: units of an LSTM.
      num_layers: LSTMs in each direction.
      char_dim: width of a character's vector.
      filters: (width, number) pairs of the CNN.
      highway: number of highway layers.
      dropout: rate, of the LSTMs' inputs and outputs.
      dtype: of compute.
    """

    width: int
    hidden: int
    num_layers: int
    char_dim: int
    filters: Sequence[tuple[int, int]]
    highway: int
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, chars_BxTxC: jax.Array, real_BxT: jax.Array, *, train: bool = False
    ) -> jax.Array:
        """Computes (2, L + 1, B, T, D): left to right and right to left, layer 0 first.

        Args:
          chars_BxTxC: int32, of each word.
          real_BxT: 0 at padding, which has no effect.
          train: applies dropout, which needs a PRNG key `dropout`.
        """
        cnn = CharacterCNN(
            NUM_CHARACTERS, self.char_dim, self.filters, self.highway, self.dtype, name="characters"
        )
        word_BxTxD = nn.Dense(self.width, dtype=self.dtype, name="word")(cnn(chars_BxTxC))
        keep_TxB, sides = (real_BxT > 0).T, []
        drop = Dropout(self.dropout)
        for side in ("forward", "backward"):
            x_TxBxD = word_BxTxD.swapaxes(0, 1)
            layers = [x_TxBxD]
            for i in range(self.num_layers):
                lstm = Direction(
                    "lstm", self.hidden, side == "backward", self.dtype, name=f"{side}_{i}"
                )
                carry = zero_carry("lstm", x_TxBxD.shape[1], self.hidden)
                h_TxBxH, _ = lstm(drop(x_TxBxD, train=train), carry, keep_TxB)
                project = nn.Dense(self.width, dtype=self.dtype, name=f"{side}_{i}_projection")
                y_TxBxD = drop(project(h_TxBxH.astype(self.dtype)), train=train)
                x_TxBxD = x_TxBxD + y_TxBxD if i else y_TxBxD
                layers.append(x_TxBxD)
            sides.append(jnp.stack(layers))
        layers_2xLxTxBxD = jnp.stack(sides)
        keep = keep_TxB.astype(self.dtype)[None, None, ..., None]
        return (layers_2xLxTxBxD * keep).swapaxes(2, 3)


class BiLMEncoder(nn.Module):
    """The network as an encoder: vectors of words in their text, both directions side by side.

    Its parameters are those of `network`, so that trained ones can be taken over.
    """

    network: BiLM

    def setup(self) -> None:
        """Declares the parts."""
        nn.share_scope(self, self.network)

    def __call__(
        self, chars_BxTxC: jax.Array, real_BxT: jax.Array, *, train: bool = False
    ) -> jax.Array:
        """Computes the last layer (B, T, 2 width); see `BiLM`, whose layers are offered."""
        left_LxBxTxD, right_LxBxTxD = self.network(chars_BxTxC, real_BxT, train=train)
        layers_LxBxTx2D = jnp.concatenate([left_LxBxTxD, right_LxBxTxD], -1)
        for h_BxTx2D in layers_LxBxTx2D:
            offer(self, h_BxTx2D)
        return layers_LxBxTx2D[-1]


class Mix(nn.Module):
    """A learned factor times the mean of layers with learned weights, one vector a word.

        gamma * sum_l softmax(s)_l h_l

    Source: Peters et al. 2018, equation 1. At first all layers weigh the same.
    """

    @nn.compact
    def __call__(self, layers_LxBxTxD: jax.Array) -> jax.Array:
        """Maps (…, L, B, T, D) to (…, B, T, D)."""
        number = layers_LxBxTxD.shape[-4]
        scores_L = self.param("scores", nn.initializers.zeros_init(), (number,))
        factor = self.param("factor", nn.initializers.ones_init(), ())
        weights_L = (factor * nn.softmax(scores_L)).astype(layers_LxBxTxD.dtype)
        return jnp.einsum("l,...lbtd->...btd", weights_L, layers_LxBxTxD)
