"""Texts from decoders: sampling, greedy and beam search, each as one loop on the device.

It knows a model by two functions only, `Decoder`: those of `genjax.core.capabilities.Writes`.
"""

from genjax.generation.beam import beam_search, length_penalty
from genjax.generation.generate import Decoder, Text, advance, begin, decoder_of, draw, generate
from genjax.generation.sampling import GREEDY, PLAIN, Sampling, most_likely, restrain, sample

__all__ = [
    "GREEDY", "PLAIN", "Decoder", "Sampling", "Text", "advance", "beam_search", "begin",
    "decoder_of", "draw", "generate", "length_penalty", "most_likely", "restrain", "sample",
]  # fmt: skip
