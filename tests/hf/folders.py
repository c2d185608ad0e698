"""Small random folders as `transformers` writes them, made without it."""

import json

import numpy as np
from safetensors.numpy import save_file
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

TEXTS = ["the cat sat on the mat, and the dog sat by the cat."] * 3
GPT2_CONFIG = {
    "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_positions": 12, "n_embd": 8,
    "n_layer": 2, "n_head": 2, "n_inner": None, "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5, "bos_token_id": 260, "eos_token_id": 260, "resid_pdrop": 0.1,
}  # fmt: skip
BERT_CONFIG = {
    "model_type": "bert", "architectures": ["BertForPreTraining"], "max_position_embeddings": 12,
    "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2,
    "hidden_dropout_prob": 0.1, "pad_token_id": 0,
}  # fmt: skip


def gpt2_tokenizer(texts=TEXTS, size=260):
    """Byte-level BPE with <|endoftext|> as its last token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


def bert_tokenizer():
    """WordPiece with BERT's special tokens where BERT has them: not all in front."""
    words = ["the", "cat", "sat", "on", "mat", ",", "dog", "##s", "##ing", "[", "]", "mask"]
    names = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    vocab = {name: i for i, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 3), ("[SEP]", 4)],
    )
    return tokenizer


def gpt2_shapes(c):
    d, v = c["n_embd"], c["vocab_size"]
    inner = c["n_inner"] or 4 * d
    shapes = {"wte.weight": (v, d), "wpe.weight": (c["n_positions"], d)}
    shapes |= {"ln_f.weight": (d,), "ln_f.bias": (d,)}
    for i in range(c["n_layer"]):
        for name, (size, out) in {
            "attn.c_attn": (d, 3 * d),
            "attn.c_proj": (d, d),
            "mlp.c_fc": (d, inner),
            "mlp.c_proj": (inner, d),
        }.items():
            shapes |= {f"h.{i}.{name}.weight": (size, out), f"h.{i}.{name}.bias": (out,)}
        for name in ("ln_1", "ln_2"):
            shapes |= {f"h.{i}.{name}.weight": (d,), f"h.{i}.{name}.bias": (d,)}
    return {f"transformer.{name}": shape for name, shape in shapes.items()}


def bert_shapes(c):
    d, v, inner = c["hidden_size"], c["vocab_size"], c["intermediate_size"]
    at = "bert.embeddings."
    shapes = {
        at + "word_embeddings.weight": (v, d),
        at + "token_type_embeddings.weight": (2, d),
        at + "position_embeddings.weight": (c["max_position_embeddings"], d),
        "cls.predictions.bias": (v,),
    }
    dense = {"bert.pooler.dense": (d, d), "cls.predictions.transform.dense": (d, d)}
    dense["cls.seq_relationship"] = (2, d)
    norms = [at + "LayerNorm", "cls.predictions.transform.LayerNorm"]
    for i in range(c["num_hidden_layers"]):
        h = f"bert.encoder.layer.{i}."
        dense |= {f"{h}attention.self.{of}": (d, d) for of in ("query", "key", "value")}
        dense |= {h + "attention.output.dense": (d, d), h + "intermediate.dense": (inner, d)}
        dense |= {h + "output.dense": (d, inner)}
        norms += [h + "attention.output.LayerNorm", h + "output.LayerNorm"]
    for name, shape in dense.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (d,), f"{name}.bias": (d,)}
    return shapes


def random_tensors(shapes):
    rng = np.random.default_rng(0)
    return {
        name: (rng.normal(size=shape) * 0.5 + (".ln_" in name or "LayerNorm" in name)).astype("f4")
        for name, shape in shapes.items()
    }


def make(folder, kind, added=(), rows=0, **changes):
    """Writes a folder; returns its config and tensors.

    `added` are special tokens behind the others, `rows` those of the embedding, if more.
    """
    tokenizer = gpt2_tokenizer() if kind == "gpt2" else bert_tokenizer()
    tokenizer.add_special_tokens(list(added))
    config = (GPT2_CONFIG if kind == "gpt2" else BERT_CONFIG) | changes
    config["vocab_size"] = rows or tokenizer.get_vocab_size()
    tensors = random_tensors(gpt2_shapes(config) if kind == "gpt2" else bert_shapes(config))
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return config, tensors
