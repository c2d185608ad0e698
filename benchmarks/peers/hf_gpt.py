"""GPT-2 of `transformers`, with the cache of its `generate`."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import described, settle


def decoding(
    batch_size: int,
    size: int,
    *,
    vocab_size: int,
    length: int,
    num_layers: int,
    num_heads: int,
    width: int,
) -> Timed:
    """Sets up the rows `gpt_decode_*`: draws `size` tokens after prompts of one token."""
    settle()
    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=length,
        n_embd=width,
        n_layer=num_layers,
        n_head=num_heads,
        activation_function="gelu",
        bos_token_id=2,
        eos_token_id=None,
        pad_token_id=0,
    )
    network = GPT2LMHeadModel(config).eval()
    prompt = torch.full((batch_size, 1), 5)
    options = {"do_sample": True, "top_k": 0, "min_new_tokens": size, "max_new_tokens": size}

    def run() -> None:
        with torch.inference_mode():
            network.generate(prompt, attention_mask=torch.ones_like(prompt), **options)

    run()
    return Timed(run, info=described("generate with its cache"))
