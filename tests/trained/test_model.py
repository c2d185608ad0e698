"""Loaded models: one method for each capability, checked arguments, NumPy arrays, batches."""

import functools
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from genjax.core import arguments
from genjax.core.capabilities import uses
from genjax.core.config import ConfigError
from genjax.engine.run import prepare
from genjax.trained.methods import METHODS
from genjax.trained.model import Model
from tests.contracts import recipes

FAST = ("autoencoder", "vae:conditional", "r3gan+pack+lazy", "gpt")
SLOW = (
    "vae+free_bits+accumulate+ema", "flow_matching+mlp+conditional", "wgan_gp_mixture", "text_vae",
    "stacked_autoencoder+labels+stages+ema", "hinge_gan+conv+stddev+noise", "elmo", "tagger",
    "text_classifier+bag+accumulate", "bert+sentences+pre_norm+bfloat16", "word2vec_cbow",
    "lstm_lm", "seq2seq_attention", "transformer",
)  # fmt: skip
# Of decoders, which only their loops call: they take and give caches.
STEPS = {"prefill", "prefill_codes", "decode_step"}
RNG = np.random.RandomState(0)


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Model]:
    """A model of a tiny recipe as it is before training; of a population with `members`."""
    folder = tmp_path_factory.mktemp("models")

    @functools.cache
    def make(name: str, members: int = 0) -> Model:
        recipe, _, conditional = name.partition(":")
        changes = {"model__conditional": True} if conditional else {}
        run = prepare(recipes.tiny(recipe, Path(folder), **changes))
        if not members:
            return Model(run, run.family.init(jax.random.key(0)), 0, 0)
        state = jax.vmap(run.family.init)(jax.random.split(jax.random.key(0), members))
        return Model(run, state.replace(step=state.step[0]), 0, members)

    return make


def some(model: Model, n: int) -> np.ndarray:
    """n inputs of a model."""
    spec = model.run.dataset.spec
    if spec.kind in ("image", "point"):
        return RNG.rand(n, *spec.shape).astype(np.float32)
    rows = RNG.randint(5, spec.vocab_size, (n, *spec.shape)).astype(np.int32)
    rows[:, 5:] = 0
    return rows


def given(model: Model, method: str, n: int) -> tuple[Any, ...]:
    """Right arguments of a method."""
    spec, x = model.run.dataset.spec, some(model, n)
    label = (np.arange(n) % spec.num_classes,) if model.config.model.get("conditional") else ()
    y = x
    if spec.kind == "pair":
        y = RNG.randint(5, spec.target_vocab_size, (n, *spec.target_shape)).astype(np.int32)
    chars = RNG.randint(0, spec.char_vocab_size or 20, (n, *(spec.char_shape or (4, 6))))
    codes = np.zeros((n, *model._code_shape), np.float32) if "decode" in dir(model) else None
    of_pairs = dict.fromkeys(("attention", "score", "perplexity", "predict_targets"), (x, y))
    found: dict[str, Any] = {
        "sample": (n, 1), "sample_at": (label or ((0,) * n,))[:1], "generate": (["a"] * n,),
        "latents": (n, 1), "decode": (codes, *label), "write": (codes,),
        "classify": (x,), "interpolate": (x, x, [0.0, 1.0]), "vectors": (),
        "similarity": (x[:, 0],), "predict_context": (x[:, 0],), "context": (),
        "tokens": (["ab"] * n,), "strings": (x,), "embed_words": (chars,),
        "tag": (x, chars) if spec.char_shape else (x,), "predict": (["a b"] * n,),
    }  # fmt: skip
    if spec.char_shape:
        found["features"] = (x, None, chars)
    return (found | (of_pairs if spec.kind == "pair" else {})).get(method, (x, *label))


def with_methods(model: Model, **methods: Callable[..., Any]) -> Model:
    """The same model of a family with other methods."""
    kind = type(model.family)
    family = type("Own", (kind,), methods)(**vars(model.family))
    return Model(model.run._replace(family=family), model.state, 0, 0)


def leaves(found: Any) -> list[Any]:
    return [found] if isinstance(found, list) else jax.tree.leaves(found)


@pytest.mark.parametrize(
    "name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_every_method_answers_with_numpy_arrays_or_lists(
    name: str, make: Callable[..., Model]
) -> None:
    model = make(name)
    has, n = set(dir(model)) & set(METHODS) - {"texts"}, 4
    for method in has:
        found = getattr(model, method)(*given(model, method, n))
        for part in leaves(found):
            assert isinstance(part, (np.ndarray, list, int)), method
            if method == "vectors" or isinstance(found, int):
                continue
            pack = model.config.model.get("pack", 1) if method in ("score", "features") else 1
            assert len(part) == n // pack, method
            if isinstance(part, np.ndarray) and part.dtype.kind == "f":
                assert not np.isnan(part).any(), method
    for method in set(METHODS) - has - {"texts"}:
        function = getattr(model, method)
        required = [
            p for p in inspect.signature(function).parameters.values() if p.default is p.empty
        ]
        with pytest.raises((AttributeError, ConfigError), match=r"this model|family") as error:
            function(*([1] if method in ("sample", "latents") else [None] * len(required)))
        assert len(str(error.value)) < 300


@pytest.mark.slow  # reads all data sets
def test_every_function_of_every_family_has_a_method(make: Callable[..., Model]) -> None:
    found: set[str] = set()
    for name in (*FAST, *SLOW):
        found |= uses(make(name).family)
    others = {"generate", "predict", "perplexity", "tokens", "strings", "texts"}
    assert found == {*METHODS, *STEPS} - others


def test_methods_are_real_and_have_docstrings() -> None:
    for method in set(METHODS) - {"texts"}:
        function = inspect.getattr_static(Model, method)
        assert inspect.isfunction(function) and inspect.getdoc(function), method


def test_a_family_of_ones_own_has_its_functions_too(make: Callable[..., Model]) -> None:
    model = make("autoencoder")
    own = with_methods(model, twice=lambda self, state, x: 2 * x)
    np.testing.assert_array_equal(own.twice(np.ones(2)), [2, 2])
    assert isinstance(own.twice(np.ones(2)), np.ndarray)
    with pytest.raises(AttributeError, match="'thrice': this model has sample"):
        own.thrice(1)


@pytest.mark.parametrize(
    ("name", "method", "n", "members"),
    [
        ("autoencoder", "reconstruct", 11, 2),
        ("vae:conditional", "posterior", 11, 0),
        ("vae:conditional", "decode", 9, 0),
        ("r3gan+pack+lazy", "score", 22, 0),
        ("gpt", "score", 6, 0),
        ("r3gan+pack+lazy", "features", 22, 2),
        pytest.param("flow_matching+mlp+conditional", "encode", 7, 2, marks=pytest.mark.slow),
        pytest.param("hinge_gan+conv+stddev+noise", "score", 20, 0, marks=pytest.mark.slow),
    ],
)
def test_batches_give_what_one_program_gives(
    name: str,
    method: str,
    n: int,
    members: int,
    make: Callable[..., Model],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = make(name, members)
    rows = given(model, method, n)
    function = getattr(model.family, method)
    if members:
        whole = [function(model.member(i).state, *rows) for i in range(members)]
        whole = jax.tree.map(lambda *a: np.stack(a), *whole)
    else:
        whole = jax.jit(function)(model.state, *rows)
    monkeypatch.setattr(arguments, "_AT_ONCE", 4 if model.run.dataset.codec is None else 16)
    for a, b in zip(leaves(getattr(model, method)(*rows)), leaves(whole)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.slow  # reads tagged words
def test_a_tagger_reads_sentences_for_its_features(make: Callable[..., Model]) -> None:
    model = make("tagger")
    found = model.features(["a b c", ["a", "b", "c"]])["scorer.0"]
    assert found[:, :3].any(-1).all() and not found[:, 3:].any()
    np.testing.assert_array_equal(found[0], found[1])
    with pytest.raises(ConfigError, match=r"x\[0\]: has 99 words; this model sees 16 at most"):
        model.features(["a " * 99])
    with pytest.raises(ConfigError, match="x: must be a list of sentences"):
        model.features("a b")


def test_many_rows_make_two_programs(make: Callable[..., Model]) -> None:
    model, shapes = make("autoencoder"), []

    def encode(self: Any, state: Any, x: Any) -> Any:
        shapes.append(x.shape)
        return x.reshape(len(x), -1)[:, :2]

    model = with_methods(model, encode=encode)
    x = some(model, 5000)
    np.testing.assert_array_equal(model.encode(x), x.reshape(5000, -1)[:, :2])
    model.encode(x[:300])
    model.encode(x[:4900])
    assert len(shapes) <= 3 and max(s[0] for s in shapes) <= 256


def test_many_samples_are_drawn_in_batches(
    make: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sample(self: Any, state: Any, key: Any, n: int) -> Any:  # of no latents
        return jax.random.uniform(key, (n, *self.spec.shape))

    model = with_methods(make("autoencoder"), sample=sample)
    monkeypatch.setattr(arguments, "_AT_ONCE", 1)
    size = model._read.draws(0)
    found = model.sample(50, seed=3)
    np.testing.assert_array_equal(found[:size], model.sample(size, seed=3))
    assert found.shape[0] == 50 and len(np.unique(found, axis=0)) == 50


def test_bytes_are_scaled_and_lists_are_arrays(make: Callable[..., Model]) -> None:
    model = make("autoencoder")
    x = np.round(255 * some(model, 3)).astype(np.uint8)
    np.testing.assert_allclose(model.encode(x), model.encode(x / 255.0), rtol=1e-5)
    np.testing.assert_array_equal(model.encode(list(x)), model.encode(x))


def test_a_long_text_has_the_perplexity_of_its_windows(make: Callable[..., Model]) -> None:
    model = make("gpt")
    length = model.run.dataset.spec.shape[0]
    short, long = "the import ", "the import statement " * 5
    found = model.perplexity([short, long])
    rows = model.tokens([short])
    np.testing.assert_allclose(found[:1], model.perplexity(rows), rtol=1e-5)
    ids = model.run.dataset.codec.encode(long)
    nats = [
        model.score(np.pad(ids[i : i + length], (0, max(0, i + length - len(ids))))[None]).sum()
        for i in range(0, len(ids) - 1, length - 1)
    ]
    assert len(nats) > 2
    np.testing.assert_allclose(found[1], np.exp(sum(nats) / (len(ids) - 1)), rtol=1e-5)


IMAGE = np.full((3, 8, 8, 1), 0.5, np.float32)
TWO = np.ones((2, 3), np.int32)  # rows of tokens
NAN = IMAGE.copy()
NAN[1] = np.nan
AE, VAE, FLOW, GPT = "autoencoder", "vae:conditional", "flow_matching+mlp+conditional", "gpt"
WRONG: list[tuple[str, Callable[[Any], Any], str]] = [
    (AE, lambda m: m.encode(IMAGE[0]),
     r"x: must have shape \(N, 8, 8, 1\), not \(8, 8, 1\); .*x\[None\]"),
    (AE, lambda m: m.encode(IMAGE[..., 0]), r"not \(3, 8, 8\); x\[..., None\] adds the channel"),
    (AE, lambda m: m.encode(np.zeros((3, 8, 8, 3))), r"x: must have shape .*not \(3, 8, 8, 3\)"),
    (AE, lambda m: m.encode(np.zeros((3, 28, 28, 1))), r"not \(3, 28, 28, 1\)"),
    (AE, lambda m: m.encode(IMAGE[:0]), "x: is empty; must hold at least one example"),
    (AE, lambda m: m.encode([]), "x: is empty"),
    (AE, lambda m: m.encode([IMAGE[0], IMAGE[0, :4]]), "x: .*; its rows make no array"),
    (AE, lambda m: m.encode(["one"]), r"x: must be an array \(N, 8, 8, 1\), not texts"),
    (AE, lambda m: m.encode("one"), "x: must be an array"),
    (AE, lambda m: m.encode(None), "x: must be an array .*not NoneType"),
    (AE, lambda m: m.encode(255 * IMAGE),
     r"x: must be in \[0, 1\], as the data are; is in \[128, 128\]"),
    (AE, lambda m: m.encode(-IMAGE), r"x: must be in \[0, 1\]"),
    (AE, lambda m: m.encode(IMAGE.astype(np.int32)), r"x: must hold floats in \[0, 1\], or uint8"),
    (AE, lambda m: m.encode(NAN), "x: has NaN or infinite values, in 1 of 3 rows"),
    (AE, lambda m: m.encode(IMAGE, [0, 1, 2]), "labels: this model is not conditional"),
    (AE, lambda m: m.decode(np.zeros(16)),
     r"codes: must have shape \(N, 16\), not \(16,\); .*codes\[None\]"),
    (AE, lambda m: m.decode(np.zeros((2, 3))), r"codes: must have shape \(N, 16\), not \(2, 3\)"),
    (AE, lambda m: m.decode(np.full((2, 16), np.nan)), "codes: has NaN"),
    (AE, lambda m: m.sample(0), "n=0: must be a whole number at least 1"),
    (AE, lambda m: m.sample(-3), "n=-3: must be"),
    (AE, lambda m: m.sample(True), "n=True: must be"),
    (AE, lambda m: m.sample(2.0), "n=2.0: must be"),
    (AE, lambda m: m.sample(2, seed=-1), r"seed=-1: must be a whole number in 0 … 4294967295"),
    (AE, lambda m: m.sample(2, seed=2**32), "seed=4294967296: must be"),
    (AE, lambda m: m.sample(2, seed=0.5), "seed=0.5: must be"),
    (AE, lambda m: m.generate(["a"]), "this model writes no text"),
    (AE, lambda m: m.sample_at([0]), "'sample_at': this model has sample, encode, decode"),
    (AE, lambda m: m.strings([[1]]), "'strings': this model has|ids: this model writes no"),
    (VAE, lambda m: m.encode(IMAGE),
     "labels: missing; this model is conditional and needs a class"),
    (VAE, lambda m: m.encode(IMAGE, [0, 1]),
     r"labels: must have shape \(3,\), a class each, not \(2,\)"),
    (VAE, lambda m: m.encode(IMAGE, [[0], [1], [2]]), r"labels: .*not \(3, 1\)"),
    (VAE, lambda m: m.encode(IMAGE, [0, 1, 10]), "labels: has 10; classes are 0 … 9"),
    (VAE, lambda m: m.encode(IMAGE, [0, 1, -1]), "labels: has -1; classes are"),
    (VAE, lambda m: m.encode(IMAGE, [0.0, 1.0, 2.0]), "labels: must hold classes as whole numbers"),
    (VAE, lambda m: m.reconstruct(IMAGE), "labels: missing"),
    (VAE, lambda m: m.sample_at(3), r"labels: must have shape \(N,\), a class each, not \(\)"),
    (FLOW, lambda m: m.sample_at([99]), "labels: has 99; classes are 0 … 9"),
    (FLOW, lambda m: m.encode(m.sample(1)), "labels: missing"),
    ("r3gan+pack+lazy", lambda m: m.score(some(m, 3)),
     "x: has 3 examples; the critic judges 2 as one"),
    ("r3gan+pack+lazy", lambda m: m.encode(IMAGE),
     "'encode': this model has sample, decode, latents, score"),
    (GPT, lambda m: m.score("a text"), r"x: must be a list of texts, not one: \['a text'\]"),
    (GPT, lambda m: m.score([]), "x: is empty; must be a list of texts"),
    (GPT, lambda m: m.score(["a", 3]), r"x: must be a list of texts; x\[1\] is int"),
    (GPT, lambda m: m.score(["long " * 40]), r"x\[0\]: has .* tokens; this model sees 17 at most"),
    (GPT, lambda m: m.score([[10**6]]), "x: has 1000000; tokens are 0 …"),
    (GPT, lambda m: m.score([5, 6]), r"x: tokens must have shape \(N, 17\) at most, not \(2,\)"),
    (GPT, lambda m: m.score(np.ones((2, 18), int)), r"not \(2, 18\)"),
    (GPT, lambda m: m.score(np.ones((2, 8))), "x: must hold tokens as whole numbers, not float64"),
    (GPT, lambda m: m.score(["a"], ["b"]), "targets: is for models of pairs"),
    (GPT, lambda m: m.perplexity(["a"]), "text 0 has no token that is predicted"),
    (GPT, lambda m: m.generate("a text"),
     r"prompts: must be a list of texts, not one: \['a text'\]"),
    (GPT, lambda m: m.generate([1]), "prompts: must be a list of texts, not a list of int"),
    (GPT, lambda m: m.generate(np.zeros((2, 3))),
     r"prompts: must be a list of texts, not float64 \(2, 3\)"),
    (GPT, lambda m: m.generate(["a"], temperature=-1.0), "^temperature=-1.0: must be at least 0"),
    (GPT, lambda m: m.generate(["a"], temperature=np.nan), "^temperature=nan: must be"),
    (GPT, lambda m: m.generate(["a"], top_p=1.5), "^top_p=1.5: must be at least 0 and at most 1"),
    (GPT, lambda m: m.generate(["a"], min_p=-0.1), "^min_p=-0.1: must be"),
    (GPT, lambda m: m.generate(["a"], top_k=-1), "^top_k=-1: must be at least 0"),
    (GPT, lambda m: m.generate(["a"], top_k=2.5), "^top_k=2.5: must be a whole number"),
    (GPT, lambda m: m.generate(["a"], repetition_penalty=0.0),
     "^repetition_penalty=0.0: must be above 0"),
    (GPT, lambda m: m.generate(["a"], no_repeat=-1), "^no_repeat=-1: must be"),
    (GPT, lambda m: m.generate(["a"], n=0), "^n=0: must be"),
    (GPT, lambda m: m.generate(["a"], n=True), "^n=True: must be"),
    (GPT, lambda m: m.generate(["a"], max_tokens=-1), "^max_tokens=-1: must be"),
    (GPT, lambda m: m.generate(["a"], seed=2**32), "^seed=4294967296: must be"),
    (GPT, lambda m: m.generate(["a"], beam=-1), "^beam=-1: must be"),
    (GPT, lambda m: m.generate(["a"], n=3, beam=2), "^n=3: must be at most beam=2"),
    (GPT, lambda m: m.generate(["a"], beam=2, length_penalty=-1.0),
     "^length_penalty=-1.0: must be"),
    (GPT, lambda m: m.decode(np.zeros((1, 2))), "'decode': this model has"),
    ("tagger", lambda m: m.tag(TWO), "chars: missing; this model sees"),
    ("tagger", lambda m: m.features(TWO), "chars: missing; this model sees"),
    ("tagger", lambda m: m.tag(TWO, [[1]]), r"chars: tokens must have shape \(N, "),
    ("tagger", lambda m: m.tag(TWO, np.ones((1, 3, 4), int)),
     "chars: must be of 2 rows, one for each"),
    ("text_vae", lambda m: m.encode("one"), r"x: must be a list of texts, not one: \['one'\]"),
    ("text_vae", lambda m: m.interpolate(["a"], ["b", "c"], [0.5]),
     "y: must hold a text for each of x, 1"),
    ("text_vae", lambda m: m.interpolate(["a"], ["b"], 0.5),
     r"shares: must have shape \(N,\), not \(\)"),
    ("text_vae", lambda m: m.write(np.zeros((1, 16)), temperature=-1.0),
     "^temperature=-1.0: must be"),
]  # fmt: skip


_ROWS = [
    pytest.param(row, marks=pytest.mark.slow if row[0] in SLOW else (), id=row[2][:40])
    for row in WRONG
]


@pytest.mark.parametrize("row", _ROWS)
def test_wrong_arguments_are_told_in_one_line(row: Any, make: Callable[..., Model]) -> None:
    name, call, message = row
    with pytest.raises((ConfigError, AttributeError), match=message) as error:
        call(make(name))
    assert "\n" not in str(error.value) and len(str(error.value)) < 300
    assert "--" not in str(error.value) and "config." not in str(error.value)


def test_unknown_options_and_members_are_told(make: Callable[..., Model]) -> None:
    with pytest.raises(TypeError, match="temprature"):
        make(GPT).generate(["a"], temprature=1.0)
    population = make(AE, 2)
    with pytest.raises(IndexError, match="member 2: must be below 2"):
        population.member(2)
    with pytest.raises(IndexError, match="this is a single model"):
        make(AE).member(0)


def test_an_error_of_load_speaks_python(tmp_path: Path) -> None:
    genjax = importlib.import_module("genjax")
    with pytest.raises(ConfigError, match=r"^workdir=") as error:
        genjax.load(tmp_path / "nothing")
    assert "--" not in str(error.value)
