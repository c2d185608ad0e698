"""Logits equal to those of `transformers`, both ways; where it and torch are installed."""

import jax
import numpy as np
import pytest

from genjax import hf
from tests.hf import folders, ours, reference
from tests.hf.test_reading import IDS_BxT, PIECES_BxT, TYPES_BxT, moved
from tests.hf.test_writing import _content, model

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def random_(network):
    """With weights that are nowhere zeros or ones, and logits of some size."""
    generator = torch.Generator().manual_seed(0)
    for x in network.parameters():
        x.data += 0.2 * torch.randn(x.shape, generator=generator)
    return network.eval()


def logits(network, **inputs):
    with torch.no_grad():
        found = network(**{name: torch.tensor(x) for name, x in inputs.items()})
    names = ("logits", "prediction_logits", "seq_relationship_logits")
    return [found[name].numpy() for name in names if name in found]


@pytest.mark.parametrize("activation", ["gelu_new", "gelu"])
@pytest.mark.parametrize("tied", [True, False])
def test_gpt2_of_transformers_is_read(activation, tie_embeddings, tmp_path):
    config = transformers.GPT2Config(
        vocab_size=261,
        n_positions=12,
        n_embd=32,
        n_layer=3,
        n_head=4,
        bos_token_id=260,
        eos_token_id=260,
        activation_function=activation,
        tie_word_embeddings=tie_embeddings,
    )
    network = random_(transformers.GPT2LMHeadModel(config))
    network.save_pretrained(tmp_path)
    folders.gpt2_tokenizer().save(str(tmp_path / "tokenizer.json"))
    (wanted,) = logits(network, input_ids=IDS_BxT)
    found = ours.gpt_logits(hf.read(tmp_path), moved(IDS_BxT, (-1, -1, -1, 260, -1)))
    np.testing.assert_allclose(found[..., 5:], wanted[..., :260], atol=1e-4)
    np.testing.assert_allclose(found[..., 3], wanted[..., 260], atol=1e-4)
    tensors, config = _content(tmp_path)
    tensors = {n: x for n, x in tensors.items() if n != "lm_head.weight" or not tie_embeddings}
    oracle = np.stack([reference.gpt2(tensors, config, ids) for ids in IDS_BxT])
    np.testing.assert_allclose(oracle, wanted, atol=1e-4)


@pytest.mark.parametrize("name", ["BertForPreTraining", "BertForMaskedLM"])
def test_bert_of_transformers_is_read(name, tmp_path):
    config = transformers.BertConfig(
        vocab_size=18,
        max_position_embeddings=12,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
    )
    network = random_(getattr(transformers, name)(config))
    network.save_pretrained(tmp_path)
    folders.bert_tokenizer().save(str(tmp_path / "tokenizer.json"))
    special = (0, 2, 3, 4, 5)
    padded_BxT = np.concatenate([PIECES_BxT, np.zeros((2, 3), int)], 1)
    types_BxT = np.concatenate([TYPES_BxT, np.zeros((2, 3), int)], 1)
    seen = (padded_BxT > 0).astype(int)
    inputs = {"input_ids": padded_BxT, "token_type_ids": types_BxT, "attention_mask": seen}
    wanted, *pair = logits(network, **inputs)
    found, follows = ours.bert_logits(hf.read(tmp_path), moved(padded_BxT, special), types_BxT)
    order = [*special, 1, *range(6, 18)]
    np.testing.assert_allclose(found[:, :7], wanted[:, :7, order], atol=1e-4)
    if pair:
        np.testing.assert_allclose(follows, pair[0][:, 0] - pair[0][:, 1], atol=1e-4)
    tensors, config = _content(tmp_path)
    for b in range(2):
        oracle, _ = reference.bert(tensors, config, PIECES_BxT[b], TYPES_BxT[b])
        np.testing.assert_allclose(oracle, wanted[b, :7], atol=1e-4)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", ["text", "sentence"])
def test_a_written_gpt_is_read_by_transformers(tie_embeddings, kind, tmp_path):
    before = model("gpt", "bpe", **{"model.tie_embeddings": tie_embeddings, "data.kind": kind})
    hf.write(tmp_path / "out", before)
    network = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert type(network).__name__ == "GPT2LMHeadModel"
    text = "the cat"
    inputs = tokenizer(text, return_tensors="pt")
    assert set(inputs) == {"input_ids", "attention_mask"}
    ids = ([2] if kind == "sentence" else []) + before.codec.encode(text)
    assert inputs["input_ids"][0].tolist() == ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    names = (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert names == (0, 2, 3)
    (wanted,) = logits(network, input_ids=[ids])
    np.testing.assert_allclose(ours.gpt_logits(before, np.array([ids])), wanted, atol=1e-4)
    with torch.no_grad():
        written = network.generate(**inputs, max_new_tokens=3, do_sample=False)[0].tolist()
    best = ours.gpt_logits(before, np.array([ids]))[0, -1].copy()
    best[[0, 2, 4]] = -np.inf
    assert written[: len(ids) + 1] == [*ids, best.argmax()]
    assert not {0, 2, 4} & set(written[len(ids) : written.index(3) if 3 in written else None])


@pytest.mark.parametrize("pairs", [True, False])
def test_a_written_bert_is_read_by_transformers(pairs, tmp_path):
    before = model("bert", "word", **{"loss.next_sentence": pairs})
    hf.write(tmp_path / "out", before)
    kind = transformers.AutoModelForPreTraining if pairs else transformers.AutoModelForMaskedLM
    network = kind.from_pretrained(tmp_path / "out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    inputs = {n: x.numpy() for n, x in tokenizer("the cat", "on the", return_tensors="pt").items()}
    assert inputs["token_type_ids"][0].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert tokenizer.mask_token_id == 4
    wanted, *pair = logits(network, **inputs)
    found, follows = ours.bert_logits(before, inputs["input_ids"], inputs["token_type_ids"])
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    if pairs:
        np.testing.assert_allclose(follows, pair[0][:, 0] - pair[0][:, 1], atol=1e-4)


def test_what_transformers_saves_again_is_the_same_here(tmp_path):
    before = model("bert", **{"loss.next_sentence": True})
    hf.write(tmp_path / "out", before)
    network = transformers.BertForPreTraining.from_pretrained(tmp_path / "out")
    network.save_pretrained(tmp_path / "again")
    tokenizer = (tmp_path / "out" / "tokenizer.json").read_bytes()
    (tmp_path / "again" / "tokenizer.json").write_bytes(tokenizer)
    after = hf.read(tmp_path / "again")
    assert all(map(np.array_equal, *map(jax.tree.leaves, (before.params, after.params))))
