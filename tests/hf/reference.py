"""GPT-2 and BERT in NumPy and float64, from arrays under Hugging Face's names, as an oracle.

Written from the papers and the names alone: one text, one head at a time, no genjax. That
`transformers` computes the same is tested where it is installed (`test_against_transformers.py`).
"""

import numpy as np
from scipy.special import erf


def gpt2(tensors, config, ids_T):
    """Logits (T, V). Source: Radford et al. 2019; norms first, tokens see those before them."""
    w = {name: x.astype(np.float64) for name, x in tensors.items()}
    at, eps = "transformer.", config["layer_norm_epsilon"]
    x = w[at + "wte.weight"][ids_T] + w[at + "wpe.weight"][: len(ids_T)]
    sees_TxT = np.tril(np.ones((len(ids_T), len(ids_T)), bool))
    for i in range(config["n_layer"]):
        h = f"{at}h.{i}."
        y = norm(x, w, h + "ln_1", eps)
        qkv = y @ w[h + "attn.c_attn.weight"] + w[h + "attn.c_attn.bias"]
        y = attend(*np.split(qkv, 3, -1), config["n_head"], sees_TxT)
        x = x + y @ w[h + "attn.c_proj.weight"] + w[h + "attn.c_proj.bias"]
        y = norm(x, w, h + "ln_2", eps)
        y = y @ w[h + "mlp.c_fc.weight"] + w[h + "mlp.c_fc.bias"]
        y = ACTIVATIONS[config["activation_function"]](y)
        x = x + y @ w[h + "mlp.c_proj.weight"] + w[h + "mlp.c_proj.bias"]
    head = w.get("lm_head.weight", w[at + "wte.weight"])
    return norm(x, w, at + "ln_f", eps) @ head.T


def bert(tensors, config, ids_T, types_T):
    """Logits (T, V) of tokens, and (2,) of "follows" and "does not" if there is such a head.

    Source: Devlin et al. 2019; norms behind each sum, a text without padding.
    """
    w = {name: x.astype(np.float64) for name, x in tensors.items()}
    eps, activation = config["layer_norm_eps"], ACTIVATIONS[config["hidden_act"]]

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    at = "bert.embeddings."
    x = w[at + "word_embeddings.weight"][ids_T]
    x = x + w[at + "position_embeddings.weight"][: len(ids_T)]
    x = norm(x + w[at + "token_type_embeddings.weight"][types_T], w, at + "LayerNorm", eps)
    for i in range(config["num_hidden_layers"]):
        h = f"bert.encoder.layer.{i}."
        query, key, value = (
            dense(x, f"{h}attention.self.{of}") for of in ("query", "key", "value")
        )
        y = attend(query, key, value, config["num_attention_heads"], True)
        x = norm(
            x + dense(y, h + "attention.output.dense"), w, h + "attention.output.LayerNorm", eps
        )
        y = dense(activation(dense(x, h + "intermediate.dense")), h + "output.dense")
        x = norm(x + y, w, h + "output.LayerNorm", eps)
    at = "cls.predictions."
    y = activation(dense(x, at + "transform.dense"))
    y = norm(y, w, at + "transform.LayerNorm", eps)
    logits = y @ w["bert.embeddings.word_embeddings.weight"].T + w[at + "bias"]
    if "bert.pooler.dense.weight" not in w:
        return logits, None
    return logits, dense(np.tanh(dense(x[0], "bert.pooler.dense")), "cls.seq_relationship")


def norm(x, w, name, eps):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + eps)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]


def attend(query, key, value, num_heads, sees):
    answers = []
    for q, k, v in zip(*(np.split(x, num_heads, -1) for x in (query, key, value))):
        scores = np.where(sees, q @ k.T / np.sqrt(q.shape[-1]), -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        answers.append(weights / weights.sum(-1, keepdims=True) @ v)
    return np.concatenate(answers, -1)


ACTIVATIONS = {
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: np.maximum(x, 0),
}
