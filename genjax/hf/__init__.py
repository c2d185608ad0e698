"""Hugging Face folders of GPT-2 and BERT, read and written; see `genjax.hf.folder`.

    pretrained = hf.read("gpt2/")        # config, parameters, tokenizer
    hf.write("out/", pretrained)

A folder holds `config.json`, `model.safetensors` (or its shards and their index) and
`tokenizer.json`, in the layouts of the `transformers` library's `modeling_gpt2.py` and
`modeling_bert.py`, and of the `safetensors` and `tokenizers` libraries' documentation.

Vocabularies. Here the ids 0 to 4 are those of `genjax.core.tokens` in every vocabulary. Reading
moves a folder's own special tokens there, and lets all other tokens follow in their order; rows of
embeddings and biases move with them. Which they are is told by ids (`eos_token_id` and others; of a
list the first), else by the names in the tokenizer's files, else by names that are known. Of BERT
all five are there. GPT-2 has `<|endoftext|>` alone: it is EOS, and BOS has a copy of its vector, as
GPT-2 reads it in front of texts too. PAD, UNK and MASK have zeros, and `model.banned_tokens` gives
them and BOS the probability 0. Rows beyond the tokenizer's tokens (vocabularies padded to a
multiple of 64, say) are left out. So every softmax is over the folder's own tokens. Writing keeps
our ids, and says so in the folder's files.

BERT without the head of its masked language model (`BertModel`) gets a new one, which knows nothing
yet. Weights in pickles (`pytorch_model.bin`) are refused and never opened.
"""

from genjax.hf.folder import Pretrained, read, write

__all__ = ["Pretrained", "read", "write"]
