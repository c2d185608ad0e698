"""The fields that every config shares, declared, and the checks that need nothing but the config.

A recipe in `configs/` starts from the fields of its family, which are these and sections of its
own. `validate` is called by every program before anything is written.
"""

import re
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict

# Spelled twice, so that they may be imported from here as well.
from genjax.core.errors import ConfigError as ConfigError
from genjax.core.errors import choose as choose
from genjax.core.errors import fail as fail
from genjax.core.errors import in_python as in_python
from genjax.core.fields import check_idle, field, read, section, subsection
from genjax.core.fields import get as get

EXECUTORS = ("scan", "loop", "vmap", "sharded", "pmap")
OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
DURATIONS = ("steps", "epochs", "examples")  # a config gives its length in one of them
MAX_SEED = 2**32 - 1  # JAX's keys have 32 bits of it: others would repeat smaller ones
SCHEDULES = ("constant", "linear", "cosine", "inverse_sqrt")
TOKENIZERS = ("char", "word", "bpe", "unigram")  # that are trained
STORED = "hugging_face"  # that comes with weights
BLEU_TOKENIZERS = (  # of sacreBLEU
    "13a",
    "intl",
    "zh",
    "char",
    "none",
    "ja-mecab",
    "ko-mecab",
    "flores101",
    "flores200",
    "spBLEU-1K",
)


@dataclass(frozen=True)
class Data:
    """The section `data`."""

    name: str = field("digits", "the data set, see `genjax.data.load`")
    dir: str = field("", "where TFDS looks; default TFDS_DATA_DIR, then ~/tensorflow_datasets")
    manual_dir: str = field("", "where TFDS finds files of sets that it does not download itself")
    cache_dir: str = field("", "decoded sets; default ~/.cache/genjax/data")
    image_size: int = field(
        0, "resize and center-crop to a square of so many pixels; 0: as stored", ge=0
    )
    channels: int = field(0, "1 gray, 3 color, 0 as stored", choices=(0, 1, 3))
    max_value: float = field(
        0.0, "white in gray pictures of more than 8 bits; 0: what the files say"
    )
    on_bad: str = field(
        "stop",
        "pictures that cannot be read; skip: are left out and counted",
        choices=("stop", "skip"),
    )
    test_fraction: float = field(
        0.1, "of data that come without a split: digits, images:, npz:, some tfds:", gt=0, lt=1
    )
    validation_fraction: float = field(
        0.0,
        "of the training split of images or sentences, held out of it to choose by: what a run is "
        "evaluated and its samples scored on while it trains",
        ge=0,
        lt=1,
    )
    split_by: str = field(
        "",
        "of images:, a regular expression: pictures whose groups () in the path are equal are in "
        "one split; empty: each by its path",
    )
    device_limit_mb: int = field(
        2048, "a larger decoded set is streamed instead of kept on the device", ge=0
    )


@dataclass(frozen=True)
class TextData(Data):
    """The section `data` of families that learn from text."""

    name: str = "python_docs"
    kind: str = field(
        "text",
        "what texts that can serve for all become",
        choices=("text", "sentence", "passage", "tagged"),
    )
    test: str = field("", "file(s) of the test split; empty: test_fraction is held out")
    tokenizer: str = field(
        "char", "what a token is; bpe: parts of bytes", choices=(*TOKENIZERS, STORED)
    )
    vocab_size: int = field(10_000, "at most; special tokens included")
    min_count: int = field(1, "of a character or word, to have a token of its own", ge=1)
    lowercase: bool = field(False, "texts become lowercase")
    length: int = field(
        64, "tokens of an example: a window of running text, or where a sentence is cut", ge=1
    )
    target_length: int = field(
        0, "tokens where the target of a pair is cut; 0: where its source is", ge=0
    )
    shared_vocabulary: bool = field(False, "source and target of pairs have one vocabulary")
    word_length: int = field(20, "characters of a word of tagged text, where it is cut", ge=1)
    bucketed: bool = field(False, "batches are of sentences of similar length")
    packed: bool = field(False, "examples hold several whole texts each")
    bleu_tokenize: str = field(
        "13a", "of translations, sacreBLEU's: zh for Chinese, …", choices=BLEU_TOKENIZERS
    )


@dataclass(frozen=True)
class Optimizer:
    """An optimizer's section: `optimizer`, `critic_optimizer`, …"""

    name: str = field("adam", "the algorithm", choices=OPTIMIZERS)
    learning_rate: float = field(1e-3, "its peak", ge=0)
    b1: float = field(0.9, "of adam; momentum of rmsprop and sgd", ge=0, lt=1)
    b2: float = field(0.999, "of adam; decay of rmsprop", ge=0, lt=1)
    eps: float = field(1e-8, "added to the root of the second moment", gt=0)
    weight_decay: float = field(
        0.0, "decoupled; of matrices and kernels only, never of biases and scales", ge=0
    )
    clip_norm: float = field(0.0, "global norm of the gradient; 0: no clipping", ge=0)
    schedule: str = field("constant", "of the learning rate, after warm-up", choices=SCHEDULES)
    warmup_steps: int = field(0, "in which the learning rate rises to its peak", ge=0)
    end_factor: float = field(
        0.0, "of the learning rate at the last step (linear, cosine)", ge=0, le=1
    )
    groups: tuple[str, ...] = field(
        (), "PATTERN=FACTOR: of the learning rate, by paths of parameters; 0: they are frozen"
    )
    unfreeze: tuple[str, ...] = field(
        (), "PATTERN=STEP: parameters that stand still for so many updates"
    )
    layer_decay: float = field(
        1.0, "the learning rate of a layer of a stack, as a part of the next one's", gt=0, le=1
    )


@dataclass(frozen=True)
class Start:
    """The section `start`: what a new run begins with; see `genjax.engine.start`."""

    workdir: str = field(
        "", "the run to start from, or a file of word vectors; empty: all begins at random"
    )
    step: str = field("newest", "its checkpoint: a step, newest or best")
    networks: tuple[str, ...] = field(
        (), "what is taken over: patterns of paths, or THEIRS=OURS; empty: all networks"
    )
    what: str = field(
        "ema",
        "parameters, their averages where it keeps some, or the whole state, its step as well",
        choices=("params", "ema", "state"),
    )
    member: int = field(-1, "of a population; -1: it is a single run, or to each its like", ge=-1)


@dataclass(frozen=True)
class Base:
    """The fields that every config has; of them exactly one duration is above 0."""

    family: str = field("", "the model family, or that of the recipe's own file")
    seed: int = field(0, "of all randomness", ge=0, le=MAX_SEED)
    num_seeds: int = field(
        1, "members of a population: seeds seed, seed+1, … (executor vmap)", ge=1
    )
    steps: int = field(
        0, "length of the run in updates: one of steps, epochs, examples is above 0", ge=0
    )
    epochs: float = field(0.0, "or in passes over the training split", ge=0)
    examples: int = field(0, "or in training examples", ge=0)
    batch_size: int = field(64, "global, over all devices and processes", ge=1)
    accumulate_steps: int = field(
        1, "the gradient of a batch is summed over so many equal parts of it", ge=1
    )
    log_every: int = field(100, "steps between rows of metrics", ge=1)
    eval_every: int = field(0, "steps between evaluations; 0: only at the end", ge=0)
    sample_every: int = field(0, "steps between pictures of samples; 0: only at the end", ge=0)
    checkpoint_every: int = field(1000, "steps between checkpoints; 0: only at the end", ge=0)
    keep_checkpoints: int = field(2, "the newest n", ge=1)
    keep_every: int = field(0, "and, for good, those at multiples of so many steps", ge=0)
    num_samples: int = field(64, "in a sample grid", ge=1)
    eval_metrics: str = field("", "of samples, at each evaluation: any of fid,kid,mind,is,prdc")
    eval_num_samples: int = field(
        2500, "that they, or the scores of a mixture, are computed from", ge=1
    )
    eval_weights: str = field(
        "", "file of InceptionV3's, for eval_metrics; empty: genjax's own classifier"
    )
    best_metric: str = field(
        "", "a number of the evaluations: the state at its best is kept as well"
    )
    best_mode: str = field("min", "which values of it are good", choices=("min", "max"))
    executor: str = field("scan", "how steps are dispatched", choices=EXECUTORS)
    chunk: int = field(0, "steps a scan; 0: the largest that divides log_every, at most 200", ge=0)
    sharding: str = field(
        "data", "executor sharded: the state is replicated, or split", choices=("data", "fsdp")
    )
    mesh: str = field(
        "",
        "executor sharded: devices as data:N, or data:N,model:M, where M share the rows of a batch "
        "and the layers of a Transformer; empty: data alone",
    )
    elastic: int = field(
        0, "experimental, executor sharded: shards of the batch on any number of devices", ge=0
    )
    precision: str = field(
        "float32", "of compute; parameters stay float32", choices=("float32", "bfloat16")
    )
    matmul_precision: str = field(
        "auto",
        "of products in float32, by JAX's names; auto: its default for the device",
        choices=("auto", "default", "high", "highest"),
    )
    on_divergence: str = field(
        "stop",
        "skip: an update that is not finite is left out; train/skipped is their share",
        choices=("stop", "skip"),
    )
    ema_decay: float = field(0.0, "of the network that samples; 0: none is kept", ge=0, lt=1)
    data: Data = subsection(Data)
    start: Start = subsection(Start)
    optimizer: Optimizer = subsection(Optimizer)

    @classmethod
    def defaults(cls) -> ConfigDict:
        """Returns every field with its default."""
        return section(cls)


def base(**changes: Any) -> ConfigDict:
    """The shared fields with their defaults. Recipes set `family` and one duration.

    `changes` replace defaults, or add sections.
    """
    c = section(Base)
    with c.unlocked():
        c.update(changes)
    return c.lock()


def optimizer(**changes: Any) -> ConfigDict:
    """An optimizer section; `changes` replace its defaults."""
    return section(Optimizer, **changes)


def of_texts(data: Any) -> bool:
    """Says whether a section `data` is of texts, as that of a family of both may be of pictures."""
    return "tokenizer" in data and data.kind != "image"


def check_seed(name: str, first: int, count: int = 1) -> None:
    """Raises `ConfigError` unless seeds `first … first + count - 1` are 0 … 2^32 - 1."""
    last = first + count - 1
    if first < 0 or last > MAX_SEED:
        many = f" (the last of {count} seeds is {last})" if count > 1 else ""
        raise ConfigError(f"{name}={first}{many}: must be between 0 and {MAX_SEED} (2^32 - 1)")


def validate(c: ConfigDict) -> None:
    """Raises `ConfigError` for the first field of the shared part that is out of range."""
    read(Base, c)
    if of_texts(c.data):
        read(TextData, c, "data")
    for name in c:
        if name.endswith("optimizer"):
            read(Optimizer, c, name)
    check_seed("config.seed", c.seed, c.num_seeds)
    given = [f"{name}={c[name]}" for name in DURATIONS if c[name]]
    if len(given) != 1:
        raise ConfigError(
            f"config.steps, config.epochs, config.examples: {' and '.join(given) or 'none'} given; "
            "exactly one must be above 0 (set the others to 0)"
        )
    if c.best_metric and not c.eval_every:
        raise fail("best_metric", c.best_metric, "needs evaluations during the run: set eval_every")
    if c.eval_weights and not c.eval_metrics:
        raise fail("eval_weights", c.eval_weights, "needs eval_metrics")
    if c.batch_size % c.accumulate_steps:
        raise fail("accumulate_steps", c.accumulate_steps, f"must divide batch_size={c.batch_size}")
    if "start" in c:
        check_idle("start", read(Start, c, "start"), ("step", "what", "member"))
    if c.elastic:
        _check_elastic(c)
    if c.mesh:
        _check_mesh(c)
    if c.sharding == "fsdp" and c.executor != "sharded":
        raise fail("sharding", c.sharding, f"needs executor=sharded, not {c.executor}")
    if c.num_seeds > 1 and c.executor != "vmap":
        raise fail("num_seeds", c.num_seeds, f"needs executor=vmap, not {c.executor}")


def _check_elastic(c: ConfigDict) -> None:
    if c.elastic & (c.elastic - 1):
        raise fail("elastic", c.elastic, "must be a power of two: 0, 1, 2, 4, 8, …")
    if c.executor != "sharded":
        raise fail("elastic", c.elastic, f"needs executor=sharded, not {c.executor}")
    if c.batch_size % c.elastic:
        raise fail("elastic", c.elastic, f"must divide batch_size={c.batch_size}")
    if c.accumulate_steps > 1:
        raise fail(
            "elastic", c.elastic, f"takes the place of accumulate_steps={c.accumulate_steps}"
        )


def mesh_axes(text: str) -> dict[str, int]:
    """Returns the number of devices along each axis of `config.mesh`; none if it names none."""
    found = re.fullmatch(r"data:([1-9]\d*)(?:,model:([1-9]\d*))?", text)
    sizes = found.groups() if found else ()
    return {axis: int(n) for axis, n in zip(("data", "model"), sizes, strict=False) if n}


def _check_mesh(c: ConfigDict) -> None:
    if not mesh_axes(c.mesh):
        allowed = "data:N or data:N,model:M, each a whole number of at least 1"
        raise fail("mesh", c.mesh, f"must be {allowed}")
    if c.executor != "sharded":
        raise fail("mesh", c.mesh, f"needs executor=sharded, not {c.executor}")
    if c.elastic:
        raise fail("mesh", c.mesh, f"excludes elastic={c.elastic}: shards are of all devices")


def for_one_device(c: ConfigDict) -> ConfigDict:
    """Returns the config of a run, or of a population, as it is used on one device.

    All executors of a run write the same checkpoints, and one device reads them.
    """
    c = ConfigDict(c).unlock()
    c.executor = "vmap" if c.executor == "vmap" else "scan"
    c.mesh, c.elastic, c.sharding = "", 0, "data"
    return c.lock()


_TYPES: tuple[tuple[Any, Any, str], ...] = (  # of a default: allowed types, and their name
    (bool, bool, "true or false"),
    (int, int, "a whole number"),
    (float, (int, float), "a number"),
    (str, str, "text"),
    (tuple, tuple, "a list"),
    (ConfigDict, ConfigDict, "a section"),
)


def fill(c: ConfigDict, defaults: ConfigDict, section: str = "") -> None:
    """Adds to `c`, which it unlocks, the fields of `defaults` that it lacks, and in its sections.

    So a config that was written before a field was there means what it meant then: a new field's
    default leaves everything as it was.

    Raises:
      ConfigError: a field that is there has a value of another type than its default.
    """
    c.unlock()
    for name, value in defaults.items():
        if name not in c:
            c[name] = value
        elif isinstance(value, ConfigDict) and isinstance(c[name], ConfigDict):
            fill(c[name], value, f"{section}{name}.")
        else:
            _check_type(section + name, c[name], value)


def _check_type(field: str, value: Any, default: Any) -> None:
    """What a file says of a field may be anything that JSON has."""
    for kind, allowed, message in _TYPES:
        if isinstance(default, kind):
            if not isinstance(value, allowed) or (isinstance(value, bool) != (kind is bool)):
                shown = value if len(repr(value)) < 60 else f"{repr(value)[:60]}…"
                raise fail(field, shown, f"must be {message}")
            return


def total_steps(c: ConfigDict, examples_per_step: int, num_examples: int) -> int:
    """The length of a run in steps, whichever unit the config gives it in.

    Args:
      c: the config.
      examples_per_step: examples that one step consumes, inner updates included.
      num_examples: size of the training split, 0 for data drawn without end.
    """
    if c.steps:
        return int(c.steps)
    if c.examples:
        return int(-(-c.examples // examples_per_step))
    if not num_examples:
        raise fail("epochs", c.epochs, f"data.name={c.data.name} has none; give steps or examples")
    return int(max(1, round(c.epochs * num_examples / examples_per_step)))
