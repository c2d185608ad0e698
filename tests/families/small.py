"""A small family of each kind with a state and a batch, made once: a recipe's, data drawn."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax import families
from genjax.core.family import Batch, DataSpec, Family, State
from genjax.core.tokens import EOS, NUM_SPECIALS
from tests.contracts import recipes

ROWS, LENGTH, VOCABULARY, CLASSES = 4, 7, 20, 3
# Recipes and variants of `tests.contracts.recipes`, at least one of each class of families, with
# changes that leave less to compile.
_SCANNED = {"model__scan": True, "model__num_layers": 2, "model__dropout": 0.0}
NAMES = {
    "autoencoder": {}, "bert": _SCANNED, "classifier": {},
    "continual": {"data__protocol": "permuted"},
    "elmo": {"model__char_widths": (2,), "model__char_filters": (5,), "model__dropout": 0.0},
    "flow_matching+mlp+conditional": {"accumulate_steps": 1}, "gpt": _SCANNED, "gru_lm": {},
    "multitask": {}, "multitask+pcgrad+accumulate+ema": {"accumulate_steps": 1},
    "multitask+uncertainty+conv+overlays": {}, "semi_supervised_vae": {},
    "seq2seq": {}, "seq2seq_attention": {}, "stacked_autoencoder": {},
    "stacked_autoencoder+labels+stages+ema": {"accumulate_steps": 1}, "tagger": {},
    "text_autoencoder": {}, "text_classifier": {}, "text_vae": {}, "transformer": _SCANNED,
    "vae": {}, "wgan_gp": {"loss__n_critic": 1}, "word2vec_skipgram": {},
}  # fmt: skip


class Small(NamedTuple):
    """A family of 16 units a layer at most."""

    family: Family
    state: State
    batch: Batch


@functools.cache
def family_of(name: str, **changes: Any) -> Family:
    """Builds the family of a recipe or variant; its optimizers rest."""
    config = recipes.tiny(name, recipes.NOWHERE, batch_size=ROWS, **(NAMES.get(name, {}) | changes))
    with config.unlocked():
        for section in recipes.optimizer_sections(config):  # the simplest one
            plain = {"name": "sgd", "b1": 0.0, "schedule": "constant", "clip_norm": 0.0}
            config[section].update(plain | {"weight_decay": 0.0})
    return families.build(config, _spec(config), 20)


@functools.cache
def small(name: str, **changes: Any) -> Small:
    """Builds such a family with a state, whose parameters are drawn, and a batch."""
    family = family_of(name, **changes)
    batch = {n: jnp.asarray(a) for n, a in _batch(family.spec, family.batch_shape).items()}
    return Small(family, _state(family), batch)


def _state(family: Family) -> State:
    """A state without a compiled `init`: parameters normal, the numbers of optimizers 0."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(family.init, jax.random.key(0))
    drawn = jax.tree.map(
        lambda s: jnp.asarray(0.3 * rng.normal(size=s.shape), s.dtype),
        {"params": shapes.params, "ema": shapes.ema, "variables": shapes.variables},
    )
    rest = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes.opt_state)
    return State(step=jnp.zeros((), jnp.int32), key=jax.random.key(2), opt_state=rest, **drawn)


def _spec(config) -> DataSpec:
    """What the family would be told of data of the recipe's kind."""
    data, text = config.data, {"vocab_size": VOCABULARY}
    if data.name in ("ring", "grid"):
        return DataSpec("point", (2,), num_classes=CLASSES)
    if data.get("kind", "image") == "image":
        several = (CLASSES,) * len(data.tasks) if "tasks" in data else ()
        shape = (data.image_size, data.image_size, 1)
        return DataSpec("image", shape, num_classes=CLASSES, task_classes=several)
    if data.name == "reverse":
        target = {"target_shape": (LENGTH - 1,), "target_vocab_size": VOCABULARY}
        return DataSpec("pair", (LENGTH,), **text, **target)
    text["spellings"] = tuple(f"w{i}" for i in range(VOCABULARY - NUM_SPECIALS))
    text["token_counts"] = (0,) * NUM_SPECIALS + tuple(range(1, VOCABULARY - NUM_SPECIALS + 1))
    chars = {"char_shape": (LENGTH, 5), "char_vocab_size": 9} if data.kind == "tagged" else {}
    return DataSpec(data.kind, (LENGTH,), num_classes=CLASSES, **text, **chars)


def _batch(spec: DataSpec, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    one = rng.integers(0, CLASSES, shape, np.int32)
    if spec.kind in ("image", "point"):
        x = rng.uniform(size=(*shape, *spec.shape)).astype(np.float32)
        labeled = {"labeled_x": x[::-1], "labeled_label": one[::-1]}
        target = one[..., None] - np.arange(len(spec.task_classes))  # below 0: not asked
        return {"x": x, "label": one, "task": np.zeros_like(one), "target": target, **labeled}
    batch = {"x": _tokens(rng, (*shape, *spec.shape), spec.kind), "label": one}
    if spec.kind == "pair":
        batch["y"] = _tokens(rng, (*shape, *spec.target_shape), spec.kind)
    if spec.kind == "tagged":
        real = batch["x"] != 0
        batch["label"] = real * rng.integers(0, CLASSES, real.shape, np.int32)
        batch["chars"] = rng.integers(0, spec.char_vocab_size, (*shape, *spec.char_shape), np.int32)
    return batch


def _tokens(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Tokens; of sentences, words and pairs rows of several lengths, padded."""
    x = rng.integers(NUM_SPECIALS, VOCABULARY, shape, np.int32)
    if kind in ("text", "passage"):
        return x
    end = np.arange(shape[0])[:, None] % (shape[-1] - 1) + 1  # the first rows are shortest
    place = np.arange(shape[-1])
    x = np.where(place < end, x, 0)
    return x if kind == "tagged" else np.where(place == end, EOS, x).astype(np.int32)
