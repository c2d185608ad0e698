"""Families of pairs: one mean over tokens, padding without effect, decoding step by step."""

import functools

import jax
import numpy as np
import pytest

from genjax.core.capabilities import Attends
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.tokens import EOS, PAD
from genjax.families import build, default_config
from genjax.generation import GREEDY, beam_search, decoder_of, generate
from genjax.losses import token_cross_entropy
from tests.families.compiled import compiled

SPEC = DataSpec("pair", (6,), vocab_size=12, target_shape=(5,), target_vocab_size=11)
SHARED = SPEC._replace(target_vocab_size=12, shared_vocabulary=True)
X = np.array(
    [
        [5, 6, 7, EOS, PAD, PAD],
        [8, EOS, PAD, PAD, PAD, PAD],
        [9, 10, 11, 5, 6, EOS],
        [7, 7, EOS, PAD, PAD, PAD],
    ],
    np.int32,
)
Y = np.array(
    [[5, EOS, PAD, PAD, PAD], [6, 7, 8, EOS, PAD], [9, 10, 9, 6, EOS], [EOS, PAD, PAD, PAD, PAD]],
    np.int32,
)
BATCH = {"x": X, "y": Y}
MODELS = {
    "none": ("seq2seq", {"model.attention": "none", "model.input_feeding": False}),
    "additive": ("seq2seq", {"model.layers": 2}),
    "location": ("seq2seq", {"model.attention": "location"}),
    "multiplicative": (
        "seq2seq",
        {"model.attention": "multiplicative", "model.input_feeding": False, "model.cell": "gru"},
    ),
    "post_norm": ("transformer", {}),
    "pre_norm": (
        "transformer",
        {"model.norm_first": True, "model.positions": "rotary", "model.tie_embeddings": False},
    ),
    "copying_fed": ("seq2seq", {"model.copy": True, "model.attention": "location"}),
    "copying_unfed": ("seq2seq", {"model.copy": True, "model.input_feeding": False}),
    "copying_transformer": ("transformer", {"model.copy": True}),
}  # fmt: skip
SLOW = ("post_norm", "copying_fed", "copying_transformer")
EACH = ["additive", *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)]  # of each kind one
FAST = ("additive", "pre_norm", "copying_fed")
ALL = [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in MODELS]
TINY = {
    "seq2seq": {"model.embed_dim": 4, "model.hidden": 6},
    "transformer": {"model.width": 8, "model.num_heads": 2},
}
# Of the step, so that it moves by the gradient itself; and nothing is drawn.
PLAIN = {
    "model.dropout": 0.0, "loss.label_smoothing": 0.0, "optimizer.name": "sgd", "optimizer.b1": 0.0,
    "optimizer.learning_rate": 1.0, "optimizer.clip_norm": 0.0, "optimizer.schedule": "constant",
    "optimizer.warmup_steps": 0,
}  # fmt: skip


def make(name, spec=None, **changes):
    family, own = MODELS[name]
    spec = spec or (SHARED if "model.copy" in own else SPEC)
    c = default_config(family)
    c.steps, c.batch_size = 10, len(X)
    c.update_from_flattened_dict(TINY[family] | PLAIN | own)
    c.update_from_flattened_dict({n.replace("__", "."): v for n, v in changes.items()})
    return build(c, spec, 10)


class Model:
    """A family with a state whose numbers are of the size of 1, its functions compiled."""

    def __init__(self, name):
        self.name, self.family = name, make(name)
        state = self.family.init(jax.random.key(0))
        keys = jax.random.split(jax.random.key(1), len(jax.tree.leaves(state.params)))
        leaves, kind = jax.tree.flatten(state.params)
        moved = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys)]
        self.state = state.replace(params=jax.tree.unflatten(kind, moved))
        self.jitted = compiled(self.family)

    def __call__(self, function, *arguments):
        return getattr(self.jitted, function)(self.state, *arguments)


@functools.cache
def model_of(name):
    return Model(name)


@pytest.fixture(params=ALL)
def model(request):
    return model_of(request.param)


def test_the_loss_is_a_mean_over_the_tokens_of_the_batch(model):
    _, metrics = model("step", BATCH)
    nll = np.asarray(model("score", X, Y))
    assert (nll[Y == PAD] == 0).all() and (nll[Y != PAD] > 0).all()
    np.testing.assert_allclose(metrics["loss"], nll.sum() / (Y != PAD).sum(), rtol=1e-5)
    sums = model.family.evaluate(model.state, BATCH | {"mask": np.ones(4, np.float32)})
    message = model.family.summary({n: np.asarray(v) / 4 for n, v in sums.items()})
    np.testing.assert_allclose(message["loss"], metrics["loss"], rtol=1e-5)
    np.testing.assert_allclose(message["perplexity"], np.exp(metrics["loss"]), rtol=1e-5)


def test_the_loss_is_smoothed():
    model, family = model_of("additive"), make("additive", loss__label_smoothing=0.2)
    first = {"x": X, "y": Y[:, :1]}
    _, metrics = jax.jit(family.step)(model.state, first)
    logits, _ = model("prefill", X)
    expected = token_cross_entropy(logits[:, None], first["y"], label_smoothing=0.2).mean()
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


def test_padding_changes_nothing(model):
    """The first row alone, as wide as it is: the same numbers."""
    np.testing.assert_allclose(
        model("score", X[:1, :4], Y[:1, :2])[0], model("score", X, Y)[0, :2], rtol=1e-4, atol=1e-5
    )


def test_gradients_reach_neither_padding_nor_other_rows_nor_the_past(model):
    """By a token's vector that stands at one place only: exactly zero where it cannot matter."""
    x, y = np.where(X == 6, 4, X), np.where(Y == 7, 4, Y)
    x[2] = X[0]  # 4 stands in row 0 of x alone, as its second, and in row 1 of y as its second
    x[2, 1] = 9

    @jax.jit
    def gradients(tables, weight_BxU):
        network = model.state.params["network"]
        network = network | {n: network[n] | {"tokens": table} for n, table in tables.items()}
        state = model.state.replace(params={"network": network})
        return (weight_BxU * model.family.score(state, x, y)).sum()

    tables = {n: model.state.params["network"][n]["tokens"] for n in ("source", "target")}
    of = jax.jit(jax.grad(gradients))
    at = np.zeros(Y.shape, np.float32)
    at[0] = 1
    own = of(tables, at)
    assert (own["source"][4] != 0).any() and (own["source"][PAD] == 0).all()
    others = of(tables, 1 - at)
    assert (others["source"][4] == 0).all() and (others["source"][PAD] == 0).all()
    tied = ("post_norm", "copying_transformer")  # there the table is the output's weights too
    if model.name not in tied:
        before, behind = np.zeros((2, *Y.shape), np.float32)
        before[1, :2], behind[1, 2] = 1, 1
        assert (of(tables, before)["target"][4] == 0).all()
        assert (of(tables, behind)["target"][4] != 0).any()


def test_predictions_know_only_the_tokens_before(model):
    other = Y.copy()
    other[2, 3:] = (10, EOS)
    a, b = (np.asarray(model("score", X, y)) for y in (Y, other))
    np.testing.assert_array_equal(a[2, :3], b[2, :3])
    assert a[2, 3] != b[2, 3] and a[2, 4] != b[2, 4]


def test_decoding_step_by_step_gives_the_scores_of_the_whole(model):
    nll = np.asarray(model("score", X, Y))
    logits, cache = model("prefill", X)
    assert all(len(leaf) == len(X) for leaf in jax.tree.leaves(cache))
    for u in range(Y.shape[1]):
        got = -np.asarray(jax.nn.log_softmax(logits))[np.arange(len(X)), Y[:, u]]
        np.testing.assert_allclose(got * (Y[:, u] != PAD), nll[:, u], rtol=1e-3, atol=1e-4)
        logits, cache = model("decode_step", cache, Y[:, u])


def test_attention_adds_up_to_1_over_the_source(model):
    if model.name == "none":
        assert not isinstance(model.family, Attends)
        return
    weights = np.asarray(model("attention", X, Y))
    assert weights.shape == (4, 5, 6)
    assert (weights[np.broadcast_to((X == PAD)[:, None], weights.shape)] == 0).all()
    np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", EACH)
def test_a_beam_of_width_1_is_greedy(name):
    model = model_of(name)
    decoder = decoder_of(model.family, model.state)
    greedy = generate(decoder, X, jax.random.key(0), GREEDY, 5, size=5)
    beam, _ = beam_search(decoder, X, 5, size=5, width=1)
    np.testing.assert_array_equal(greedy, beam[:, 0])


@pytest.mark.parametrize("changes", [{"buckets": (4, 5)}, {"accumulate_steps": 2}])
@pytest.mark.parametrize("name", EACH)
def test_buckets_and_parts_of_a_batch_change_nothing_in_an_update(name, changes):
    model, other = model_of(name), make(name, **changes)
    step = jax.jit(other.step)
    for rows in ([0, 1, 3, 3], [0, 1, 2, 3]):  # of at most 4 and 6 tokens
        batch = {n: v[rows] for n, v in BATCH.items()}
        expected, got = model("step", batch)[0], step(model.state, batch)[0]
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4),
            got.params,
            expected.params,
        )


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("additive", {"model__attention": "cubic"}, "model.attention='cubic': must be one of none"),
        ("none", {"model__input_feeding": True}, "model.input_feeding=True: needs"),
        ("location", {"model__input_feeding": False}, "'location': needs model.input_feeding"),
        ("additive", {"model__hidden": 7}, "model.hidden=7: must be even"),
        ("none", {"model__cell": "tree"}, "model.cell='tree'"),
        ("none", {"model__layers": 0}, "model.layers=0: must be at least 1"),
        ("none", {"model__dropout": 1.0}, "model.dropout=1.0"),
        ("none", {"buckets": (5, 3)}, r"buckets=\(5, 3\): must be in ascending order"),
        ("none", {"loss__label_smoothing": 1.0}, "loss.label_smoothing=1.0"),
        ("post_norm", {"model__num_heads": 3}, "model.num_heads=3: must divide"),
        ("post_norm", {"model__positions": "here"}, "model.positions='here'"),
        ("post_norm", {"spec": SPEC._replace(kind="sentence")}, "must be pairs"),
        ("post_norm", {"model__copy": True}, "needs one vocabulary .* data.shared_vocabulary=True"),
        ("none", {"spec": SHARED, "model__copy": True}, "model.copy=True: needs model.attention"),
        ("copying_fed", {"loss__label_smoothing": 0.1}, "label_smoothing=0.1: must be 0 with"),
    ],
)
def test_what_cannot_be_is_refused(name, changes, message):
    with pytest.raises(ConfigError, match=message):
        make(name, **changes)


@pytest.mark.parametrize(("name", "width"), [("additive", 4), ("post_norm", 8)])
def test_tied_vectors_are_the_outputs_weights(name, width):
    tie_embeddings, untied = (
        make(name, model__tie_embeddings=t).init(jax.random.key(0)) for t in (True, False)
    )
    sizes = [sum(p.size for p in jax.tree.leaves(s.params)) for s in (tie_embeddings, untied)]
    assert sizes[1] - sizes[0] == width * SPEC.target_vocab_size
