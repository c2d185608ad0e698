"""The paper's encoder-decoder of `transformers` (Marian's layers), with its `generate`."""

import torch
from transformers import MarianConfig, MarianMTModel

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import described, settle


def beam(
    batch_size: int,
    size: int,
    beam_width: int,
    *,
    vocab_size: int,
    width: int,
    num_heads: int,
    layers: int,
    inner: int,
    length: int,
) -> Timed:
    """Sets up the rows `translation_beam_*`: answers of `size` tokens to one batch."""
    settle()
    config = MarianConfig(
        vocab_size=vocab_size,
        decoder_vocab_size=vocab_size,
        max_position_embeddings=2 * length,
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_ffn_dim=inner,
        decoder_ffn_dim=inner,
        encoder_attention_heads=num_heads,
        decoder_attention_heads=num_heads,
        activation_function="relu",
        scale_embedding=True,
        share_encoder_decoder_embeddings=False,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        decoder_start_token_id=2,
        forced_eos_token_id=None,
    )
    network = MarianMTModel(config).eval()
    x = torch.randint(5, vocab_size, (batch_size, length))
    options = {
        "num_beams": beam_width, "length_penalty": 1.0, "do_sample": False,
        "min_new_tokens": size, "max_new_tokens": size,
    }  # fmt: skip

    def run() -> None:
        with torch.inference_mode():
            found = network.generate(x, attention_mask=torch.ones_like(x), **options)
        assert found.shape == (batch_size, 1 + size)

    run()
    return Timed(run, info=described("generate with its cache"))
