"""Every recipe of `configs/`, made tiny, and the variants whose code paths no recipe takes.

A new file in `configs/` is found by itself. What is done to make it tiny is generic: widths of the
`model` section are cut, the bundled data replace what would have to be downloaded, images are as
small as the family accepts, and texts are short and of few words.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_collections import ConfigDict

from genjax import data, families
from genjax.core.config import ConfigError, of_texts
from genjax.engine import loop
from genjax.engine.run import prepare
from genjax.recipes import load as from_file

CONFIGS = Path(__file__).parents[2] / "configs"
BATCH_SIZE = 16
_WIDTH = 16  # most of any number in the model section
_SIZES = (8, 16, 28, 32, 64)  # of images, the smallest that the family takes is used
_LENGTH = 16  # most tokens of an example
_VOCABULARY = 300  # most tokens; bytes alone are 256

# name: (recipe, changes). Several things at once where one does not hide the other.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "wgan_gp+batch_norm": ("wgan_gp", {"model.generator_norm": "batch"}),
    "wgan_gp+lazy+forward+accumulate": (
        # every second of three critic updates: the phase changes from step to step
        "wgan_gp",
        {
            "loss.penalty_every": 2, "loss.formulation": "forward_over_reverse",
            "loss.one_sided": True, "accumulate_steps": 2, "model.critic_norm": "layer",
        },
    ),
    "hinge_gan+conv+stddev+noise": (
        "hinge_gan",
        {
            "model.network": "conv", "model.minibatch_stddev": True, "loss.n_critic": 2,
            "loss.instance_noise": 0.3,
        },
    ),
    "wgan_gp+resnet+projection": (
        "wgan_gp",
        {
            "model.network": "resnet", "model.generator_norm": "batch", "model.plain_blocks": 1,
            "model.conditional": True, "model.resampling": "blur",
        },
    ),
    "r3gan+r3gan+auxiliary": (
        "r3gan",
        {
            "model.network": "r3gan", "model.conditional": True, "model.condition": "auxiliary",
            "accumulate_steps": 2,
        },
    ),
    "r3gan+pack+lazy": (
        "r3gan",
        {"model.pack": 2, "loss.n_critic": 3, "loss.penalty_every": 2},
    ),
    "wgan_gp_mixture+bfloat16": (
        # smooth: at the kink of a ReLU the rounding of bfloat16 decides between two gradients
        "wgan_gp_mixture",
        {
            "precision": "bfloat16", "model.critic_activation": "silu",
            "model.generator_activation": "silu",
        },
    ),
    "autoencoder+accumulate+dropout+adamw+ema": (
        "autoencoder",
        {
            "accumulate_steps": 2, "model.dropout": 0.3, "ema_decay": 0.9, "loss.likelihood": "mse",
            "loss.code_l1": 0.1, "loss.l2": 1e-3, "optimizer.name": "adamw",
            "optimizer.weight_decay": 0.1, "optimizer.clip_norm": 1.0,
            "optimizer.schedule": "cosine", "optimizer.warmup_steps": 3,
        },
    ),
    "stacked_autoencoder+labels+stages+ema": (
        # all three stages within five steps
        "stacked_autoencoder",
        {
            "model.layers": (16, 8), "loss.pretrain": (0.1, 0.1), "loss.corruption": "gaussian",
            "loss.corruption_level": (0.3, 0.3), "loss.finetune": "labels",
            "data.num_labeled": 100, "ema_decay": 0.9, "accumulate_steps": 2,
            "pretrain_optimizer.schedule": "linear",
        },
    ),
    "flow_matching+mlp+conditional": (
        # dense: the U-Net, which takes long to compile, is in the recipe itself
        "flow_matching",
        {
            "model.network": "mlp", "model.conditional": True, "sampler.guidance": 2.0,
            "sampler.method": "euler", "accumulate_steps": 2,
        },
    ),
    "vae+free_bits+accumulate+ema": (
        "vae",
        {
            "loss.free_bits": 0.1, "loss.binarize": "fixed",
            "accumulate_steps": 2, "ema_decay": 0.9,
        },
    ),
    "text_vae+noise+two_layers+accumulate+ema": (
        "text_vae",
        {
            "loss.drop": 0.1, "loss.swap": 2, "loss.mask": 0.1, "loss.kl_annealing": "cyclical",
            "loss.logits_chunk": 5, "model.layers": 2, "model.dropout": 0.2, "accumulate_steps": 2,
            "ema_decay": 0.9,
        },
    ),
    "classifier+resnet+squared_hinge+accumulate+ema": (
        # smooth: at the kink of a ReLU rounding decides between two gradients
        "classifier",
        {
            "model.network": "resnet", "model.norm": "group", "model.activation": "silu",
            "model.channels": (8,), "model.head_activation": "silu",
            "loss.kind": "squared_hinge", "loss.l2": 1e-3,
            "loss.l1": 1e-3, "data.num_labeled": 200, "data.leave_out": "3",
            "accumulate_steps": 2, "ema_decay": 0.9,
        },
    ),
    "classifier+taught+accumulate": (
        "classifier",
        {
            "model.head_hidden": (8,), "model.head_activation": "silu", "accumulate_steps": 2,
            "teacher.workdir": "TEACHER", "teacher.features": ("head.0=head.0",),
        },
    ),
    "face_vae+conditional+discretized_logistic": (
        "face_vae",
        {"model.conditional": True, "loss.likelihood": "discretized_logistic"},
    ),
    "word2vec_skipgram+hierarchical_softmax+fixed": (
        "word2vec_skipgram",
        {"loss.objective": "hierarchical_softmax", "loss.dynamic_window": False},
    ),
    "word2vec_cbow+softmax+sum": (
        "word2vec_cbow",
        {"loss.objective": "softmax", "model.cbow_mean": False, "loss.subsample": 0.0},
    ),
    "lstm_lm+accumulate+chunk+tied+variational+ema": (
        "lstm_lm",
        {
            "accumulate_steps": 2, "loss.logits_chunk": 5, "model.tie_embeddings": True,
            "model.embed_dim": 8,
            "model.variational": True, "model.recurrent_dropout": 0.2, "ema_decay": 0.9,
            "data.tokenizer": "word",
        },
    ),
    "gru_lm+sentences+bfloat16": (
        "gru_lm", {"data.kind": "sentence", "precision": "bfloat16"},
    ),
    "text_classifier+bag+accumulate": (
        "text_classifier",
        {"model.network": "bag", "model.bigrams": 50, "accumulate_steps": 2},
    ),
    "text_classifier+transformer+ema": (
        "text_classifier",  # "max" has ties, which rounding decides
        {"model.network": "transformer", "model.pooling": "mean", "ema_decay": 0.9},
    ),
    "autoencoder+groups+unfreeze+decay+clip+ema": (
        "autoencoder",
        {
            "optimizer.groups": ("encoder/Dense_0=0", "decoder=0.5"), "ema_decay": 0.9,
            "optimizer.unfreeze": ("decoder/Dense_1=2",), "optimizer.weight_decay": 0.1,
            "optimizer.clip_norm": 1.0, "optimizer.schedule": "linear",
        },
    ),
    "bert+groups+layer_decay": (
        "bert",
        {
            "optimizer.groups": ("encoder/embedding=0", "encoder/stack/layers/0=0"),
            "optimizer.layer_decay": 0.8, "optimizer.unfreeze": ("encoder/stack/layers/1=2",),
        },
    ),
    "text_classifier+bert+accumulate+encoder_lr_scale": (
        "text_classifier",
        {
            "model.network": "bert", "model.pooling": "first", "accumulate_steps": 2,
            "optimizer.encoder_lr_scale": 0.1,
        },
    ),
    "text_classifier+gpt+mix+groups": (
        "text_classifier",
        {
            "model.network": "gpt", "model.pooling": "last", "model.mix": True,
            "model.gpt.init_std": 0.2, "optimizer.groups": ("encoder/stack/layers/0=0",),
        },
    ),
    "tagger+elmo+mix+accumulate": (
        "tagger",
        {
            "model.words": "elmo", "model.mix": True, "optimizer.encoder_lr_scale": 0.0,
            "accumulate_steps": 2,
        },
    ),
    "transformer+bert+ema": (
        "transformer",
        {"model.encoder": "bert", "ema_decay": 0.9},
    ),
    "tagger+softmax+accumulate": (
        "tagger", {"model.head": "softmax", "model.char_filters": 0, "accumulate_steps": 2},
    ),
    "tagger+bert+ema": (
        "tagger",
        {"model.words": "bert", "optimizer.encoder_lr_scale": 0.0, "ema_decay": 0.9},
    ),
    "seq2seq_attention+gru+layers+dropout+accumulate+ema": (
        "seq2seq_attention",
        {
            "model.cell": "gru", "model.layers": 2, "model.attention": "multiplicative",
            "model.dropout": 0.2, "model.tie_embeddings": True, "loss.label_smoothing": 0.1,
            "accumulate_steps": 2, "ema_decay": 0.9,
        },
    ),
    "transformer+pre_norm+rotary+bfloat16": (
        "transformer",
        {"model.norm_first": True, "model.positions": "rotary", "precision": "bfloat16"},
    ),
    "bert+pairs+whole_words+accumulate+ema": (
        "bert",
        {
            "loss.next_sentence": True, "loss.whole_word": True, "data.tokenizer": "bpe",
            "accumulate_steps": 2, "ema_decay": 0.9,
        },
    ),
    "bert+sentences+pre_norm+bfloat16": (
        "bert", {"data.kind": "sentence", "model.norm_first": True, "precision": "bfloat16"},
    ),
    "elmo+sentences+chunk+accumulate+ema": (
        "elmo",
        {"data.kind": "sentence", "loss.logits_chunk": 5, "accumulate_steps": 2, "ema_decay": 0.9},
    ),
    "gpt_modern+packed+dropout+chunk+remat+accumulate": (
        "gpt_modern",
        {
            "data.kind": "sentence", "data.packed": True, "model.dropout": 0.2,
            "loss.logits_chunk": 3,
            "model.remat": True, "model.scan": True, "model.tie_embeddings": False,
            "accumulate_steps": 2,
        },
    ),
    "continual+task+ewc+ema": (
        # the second task begins within the five steps that placements make
        "continual",
        {
            "loss.method": "ewc", "loss.scenario": "task", "loss.weight": 10.0,
            "loss.fisher_steps": 1, "ema_decay": 0.9,
        },
    ),
    "continual+domain+permuted+joint": (
        "continual",
        {
            "loss.method": "joint", "data.joint": True, "loss.scenario": "domain",
            "data.protocol": "permuted",
        },
    ),
    "continual+class+si+accumulate": (
        "continual",
        {"loss.method": "si", "loss.scenario": "class", "accumulate_steps": 2},
    ),
    "continual+task+der_plus": (
        "continual",  # so many kept that 8 devices divide them
        {"loss.method": "der_plus", "loss.scenario": "task", "loss.budget": 8},
    ),
    "continual+domain+a_gem": (
        "continual", {"loss.method": "a_gem", "loss.scenario": "domain"},
    ),
    "continual+task+dgr_vae_distilled": (
        "continual", {"loss.method": "dgr_vae_distilled", "loss.scenario": "task"},
    ),
    "continual+class+dgr_gan": (
        "continual", {"loss.method": "dgr_gan", "loss.scenario": "class"},
    ),
    "multitask+pcgrad+accumulate+ema": (
        "multitask",
        {
            "loss.method": "pcgrad", "loss.weights": (1.0, 0.5, 2.0), "accumulate_steps": 2,
            "ema_decay": 0.9,
        },
    ),
    "multitask+uncertainty+conv+overlays": (
        "multitask",
        {
            "loss.method": "uncertainty", "model.network": "conv", "model.channels": (8,),
            "data.tasks": ("left", "right"),
        },
    ),
    "autoencoder+streamed+bfloat16": (
        "autoencoder",
        {"data.name": "images:PICTURES", "data.device_limit_mb": 0, "precision": "bfloat16"},
    ),
}  # fmt: skip


# Of the variants of texts and of tasks two each are tested in CI, the others by name.
_BY_NAME = (
    "bert", "elmo", "gru_lm", "seq2seq", "tagger", "text_", "transformer", "word2vec",
    "continual+class+si", "continual+domain", "continual+task+d",
)  # fmt: skip
_LONG = tuple(name for name in VARIANTS if name.startswith(_BY_NAME))
# Families of text beside `gpt`, by the recipe that is tested of each.
TEXTS = (
    "bert", "elmo", "gru_lm", "seq2seq", "tagger", "text_autoencoder", "text_classifier",
    "transformer", "word2vec_cbow",
)  # fmt: skip
# The U-Net takes half a minute to compile; texts are tested on one version of Python.
SLOW = ("flow_matching", *TEXTS, *(name for name in VARIANTS if name not in _LONG))


def recipes() -> list[str]:
    """The names of all recipes: the files of `configs/`."""
    return sorted(p.stem for p in CONFIGS.glob("*.py") if not p.stem.startswith("_"))


def names() -> list[str]:
    """All that the contracts are tested on: recipes that differ when tiny, and variants."""
    return [*different(), *(v for v, (recipe, _) in VARIANTS.items() if recipe in recipes())]


def different() -> list[str]:
    """The recipes that still differ when they are tiny: one of each kind."""
    by_config = {_shrunk(name, Path()).to_json(): name for name in reversed(recipes())}
    return sorted(by_config.values())


def first() -> set[str]:
    """A recipe of each family: the one of its name, if there is one."""
    chosen: dict[str, str] = {}
    for name in reversed(recipes()):
        family = load(name).family
        if chosen.get(family) != family:
            chosen[family] = name
    return set(chosen.values())


def marked(names: list[str], by_name: Sequence[str] = ()) -> list[Any]:
    """`names` for pytest: recipes of most families are fast, `SLOW` ones slow, the others long.

    Those differ from the first ones in numbers or details: they are run by name (`-m long`), as are
    those of `by_name`.
    """
    marks = dict.fromkeys(first(), ()) | dict.fromkeys(SLOW, pytest.mark.slow)
    marks |= dict.fromkeys(by_name, pytest.mark.long)
    return [pytest.param(n, marks=marks.get(n, pytest.mark.long)) for n in names]


def selected(request: pytest.FixtureRequest) -> list[str]:
    """Those of `names()` that some test of this session is about."""
    items = (getattr(item, "callspec", None) for item in request.session.items)
    about = {spec.params.get("name") for spec in items if spec is not None}
    return [name for name in names() if name in about]


def load(recipe: str) -> ConfigDict:
    """The config of a recipe as its file gives it."""
    return from_file(str(CONFIGS / f"{recipe}.py")).unlock()


def tiny(name: str, folder: Path, **changes: Any) -> ConfigDict:
    """A recipe or variant, made tiny.

    Args:
      name: of `names()`.
      folder: where pictures for the streamed variant and decoded data go.
      **changes: fields to set, "." written as "__".
    """
    c = _shrunk(name, folder)
    with c.unlocked():
        c.update_from_flattened_dict({f.replace("__", "."): v for f, v in changes.items()})
    if "steps_per_task" in c.data:  # tasks are as long as the run allows
        tasks = 5 if c.steps % 5 == 0 else 1
        c.data.update(num_tasks=tasks, steps_per_task=c.steps // tasks)
    if c.data.name == "images:PICTURES":
        c.data.name = f"images:{_pictures(folder / 'pictures')}"
    if c.data.name == "digits":
        c.data.image_size = _smallest_size(c)
    if "teacher" in c and c.teacher.workdir == "TEACHER":
        c.teacher.workdir = str(_teacher(folder / "teacher"))
    return c.lock()


def _shrunk(name: str, folder: Path) -> ConfigDict:
    recipe, variant = VARIANTS.get(name, (name, {}))
    c = load(recipe)
    for section in ("model", "generator"):
        _shrink(c.get(section, ConfigDict()))
    c.update({"steps": 20, "epochs": 0.0, "examples": 0, "batch_size": BATCH_SIZE})
    c.update({"executor": "scan", "num_seeds": 1, "log_every": 4, "num_samples": 4})
    c.update({"eval_every": 0, "sample_every": 0, "checkpoint_every": 0})
    c.update({"eval_metrics": "", "best_metric": ""})
    for section in optimizer_sections(c):  # a warm-up is over soon, as the run is
        c[section].warmup_steps = min(c[section].warmup_steps, 2)
    if of_texts(c.data):
        _shrink_text(c.data)
    elif c.data.name.startswith(("tfds:", "images:")):
        c.data.name, c.data.split_by = "digits", ""
    c.data.cache_dir = str(folder / "cache")
    with c.unlocked():
        c.update_from_flattened_dict(variant)
    return c


def tolerance(config: ConfigDict) -> float:
    """By which fraction of its movement a leaf may differ between two right programs.

    float32 sums in another order, five steps long; bfloat16 has 8 bits, and each device rounds its
    part of a gradient before the parts are summed.
    """
    return 0.15 if config.precision == "bfloat16" else 2e-3


def optimizer_sections(config: ConfigDict) -> list[str]:
    """The names of the config's optimizer sections."""
    return [section for section in config if section.endswith("optimizer")]


def lipschitz(config: ConfigDict) -> ConfigDict:
    """The config with an Adam that moves little where the gradient is little.

    With its usual epsilon of 1e-8 Adam makes a full step of a gradient that is nothing but rounding
    (the bias of a Wasserstein critic, whose gradient is exactly 0, has only such), so two right
    programs that sum in different orders part by the whole learning rate.
    """
    c = ConfigDict(config)
    for section in optimizer_sections(c):
        c[section].eps = 1e-3
    return c.lock()


def _shrink(model: ConfigDict) -> None:
    """Cuts all widths to at most 16 (a power of two, so that heads still divide them).

    Of convolutions one is left: written as matrix products they take long to compile.
    """
    for field, value in model.items():
        if isinstance(value, ConfigDict):
            _shrink(value)
        elif isinstance(value, tuple) and all(type(v) is int for v in value):
            depth = 1 if "channels" in field else len(value)
            model[field] = tuple(min(v, _WIDTH) for v in value[:depth])
        elif type(value) is int:
            model[field] = min(value, _WIDTH)


def _shrink_text(data: ConfigDict) -> None:
    """Bundled texts instead of files, cut short."""
    source = data.name.partition(":")[0]
    data.name = "reverse" if source in ("pairs", "reverse") else "python_docs"
    data.kind = {"tsv": "sentence", "conll": "tagged"}.get(source, data.kind)
    data.test, data.test_fraction = "", 0.1
    data.length = min(data.length, _LENGTH)
    data.vocab_size = min(data.vocab_size, _VOCABULARY)


def _smallest_size(c: ConfigDict) -> int:
    for size in _SIZES:
        c.data.image_size = size
        try:
            families.build(c, data.load(c.data).spec, c.steps)
            return size
        except ConfigError as error:
            refusal = error
    raise refusal


def _teacher(folder: Path) -> Path:
    """A run of the recipe `classifier` that has begun to learn."""
    if not folder.exists():
        loop.train(prepare(tiny("classifier", folder.parent, steps=4)), folder)
    return folder


def _pictures(folder: Path) -> Path:
    """A folder of 60 small gray pictures in two classes."""
    if not folder.exists():
        from PIL import Image

        rng = np.random.default_rng(0)
        for i in range(60):
            path = folder / f"class_{i % 2}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            blob = rng.integers(0, 200, (8, 8), np.uint8) // (1 + i % 2)
            Image.fromarray(blob).save(path)
    return folder
