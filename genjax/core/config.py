"""The fields that every config shares, and the checks that need nothing but the config.

A recipe in `configs/` starts from `base()` and adds its own sections. `validate` is called by every
program before anything is written; its errors name the field, the value and what is allowed.
"""

import re
from collections.abc import Iterable
from typing import Any

from ml_collections import ConfigDict

EXECUTORS = ("scan", "loop", "vmap", "sharded", "pmap")
OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
DURATIONS = ("steps", "epochs", "examples")  # a config gives its length in one of them
MAX_SEED = 2**32 - 1  # JAX's keys have 32 bits of it: others would repeat smaller ones
SCHEDULES = ("constant", "linear", "cosine", "inverse_sqrt")
BLEU_TOKENIZERS = (  # of sacreBLEU
    "13a", "intl", "zh", "char", "none", "ja-mecab", "ko-mecab", "flores101", "flores200",
    "spBLEU-1K",
)  # fmt: skip


class ConfigError(ValueError):
    """A mistake in the config or the data, told in one line; programs leave with status 2."""


def fail(field: str, value: Any, allowed: str) -> ConfigError:
    """The error for `field`: one line with its value and what is allowed."""
    return ConfigError(f"config.{field}={value!r}: {allowed}")


def in_python(error: ConfigError) -> ConfigError:
    """The error as a caller from Python reads it: `workdir='runs/a'` for `--workdir=runs/a`."""

    def spelled(match: re.Match) -> str:
        name, value = match.groups()
        return f"{name}={value}" if value.isdecimal() else f"{name}={value!r}"

    text = re.sub(r"^--(\w+)=(.*?)(?=: )", spelled, str(error))
    return type(error)(re.sub(r"--(?=[a-z])", "", text))


def choose(field: str, value: Any, allowed: Iterable[str]) -> None:
    """Raises `ConfigError` unless `value` is one of `allowed`."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise fail(field, value, f"must be one of {', '.join(allowed)}")


def check_seed(name: str, first: int, count: int = 1) -> None:
    """Raises `ConfigError` unless seeds `first … first + count - 1` are 0 … 2^32 - 1."""
    last = first + count - 1
    if first < 0 or last > MAX_SEED:
        many = f" (the last of {count} seeds is {last})" if count > 1 else ""
        raise ConfigError(f"{name}={first}{many}: must be between 0 and {MAX_SEED} (2^32 - 1)")


def base(**changes: Any) -> ConfigDict:
    """The shared fields with their defaults. Recipes set `family` and one duration.

    `changes` replace defaults, or add sections.
    """
    c = ConfigDict()
    c.family = ""
    c.seed = 0  # 0 … 2^32 - 1
    c.num_seeds = 1  # members of a population: seeds seed, seed+1, … (executor vmap)
    # Duration: exactly one of the three is above 0.
    c.steps = 0
    c.epochs = 0.0
    c.examples = 0
    c.batch_size = 64  # global, over all devices and processes
    c.accumulate_steps = 1  # the gradient of a batch is summed over so many equal parts of it
    # In steps; 0: only at the end.
    c.log_every = 100
    c.eval_every = 0
    c.sample_every = 0
    c.checkpoint_every = 1000
    c.keep_checkpoints = 2  # the newest n
    c.keep_every = 0  # and, for good, those at multiples of so many steps
    c.num_samples = 64  # in a sample grid
    c.eval_metrics = ""  # of samples, at each evaluation: any of fid,kid,is,prdc
    c.eval_num_samples = 2500  # that they, or the scores of a mixture, are computed from
    c.eval_weights = ""  # file of InceptionV3's, for eval_metrics; "": genjax's own classifier
    c.best_metric = ""  # a number of the evaluations: the state at its best is kept as well
    c.best_mode = "min"  # or "max": which values of it are good
    c.executor = "scan"
    c.chunk = 0  # steps a scan; 0: the largest that divides every interval, at most 200
    c.sharding = "data"  # executor sharded: "data" replicates the state, "fsdp" splits it
    c.precision = "float32"  # of compute: float32 or bfloat16; parameters stay float32
    c.on_divergence = "stop"  # or "skip": leave the update out; train/skipped is their share
    c.ema_decay = 0.0  # of the network that samples; 0: none is kept
    c.data = ConfigDict()
    c.data.name = "digits"
    c.data.dir = ""  # where TFDS looks; default TFDS_DATA_DIR, then ~/tensorflow_datasets
    c.data.manual_dir = ""  # where TFDS finds files of sets that it does not download itself
    c.data.cache_dir = ""  # decoded sets; default ~/.cache/genjax/data

    c.data.image_size = 0  # resize and center-crop to a square of so many pixels; 0: as stored
    c.data.channels = 0  # 1 gray, 3 color, 0 as stored
    c.data.max_value = 0.0  # white in gray pictures of more than 8 bits; 0: what the files say
    c.data.on_bad = "stop"  # or "skip": pictures that cannot be read are left out and counted
    c.data.test_fraction = 0.1  # of data that come without a split: digits, images:DIR, some tfds:
    c.data.device_limit_mb = 2048  # a larger decoded set is streamed instead of kept on the device
    c.optimizer = optimizer()
    c.update(changes)
    return c


def text_data(c: ConfigDict, **changes: Any) -> None:
    """Adds the fields of text to `c.data`; `changes` replace their defaults."""
    d = c.data
    d.name = "python_docs"
    d.kind = "text"  # what texts that can serve for all become: text, sentence, passage
    d.test = ""  # file(s) of the test split; "": `test_fraction` of the data is held out
    d.tokenizer = "char"  # char, word, bpe (of bytes), unigram
    d.vocab_size = 10_000  # at most; special tokens included
    d.min_count = 1  # of a character or word, to have a token of its own
    d.lowercase = False
    d.length = 64  # tokens of an example: a window of running text, or where a sentence is cut
    d.word_length = 20  # characters of a word of tagged text, where it is cut
    d.bucketed = False  # batches of sentences of similar length, for `core.buckets.by_length`
    d.packed = False  # examples hold several whole texts each, see `core.tokens.segments`
    d.bleu_tokenize = "13a"  # of translations, sacreBLEU's: zh for Chinese, char, intl, …
    d.update(changes)


def optimizer(**changes: Any) -> ConfigDict:
    """An optimizer section; `changes` replace its defaults."""
    o = ConfigDict()
    o.name = "adam"
    o.learning_rate = 1e-3  # its peak
    o.b1 = 0.9  # of adam; momentum of rmsprop and sgd
    o.b2 = 0.999  # of adam; decay of rmsprop
    o.eps = 1e-8
    o.weight_decay = 0.0  # decoupled; of matrices and kernels only, never of biases and scales
    o.clip_norm = 0.0  # global norm of the gradient; 0: no clipping
    o.schedule = "constant"
    o.warmup_steps = 0
    o.end_factor = 0.0  # of the learning rate at the last step (linear, cosine)
    o.update(changes)
    return o


def pretrained(*networks: str) -> ConfigDict:
    """A section for families that can go on from another run; see `genjax.engine.pretrained`."""
    p = ConfigDict()
    p.workdir = ""  # of that run; "": all begins at random
    p.networks = networks  # entries of its parameters that are taken over
    return p


_TYPES: tuple[tuple[Any, Any, str], ...] = (  # of a default: allowed types, and their name
    (bool, bool, "true or false"),
    (int, int, "a whole number"),
    (float, (int, float), "a number"),
    (str, str, "text"),
    (tuple, tuple, "a list"),
    (ConfigDict, ConfigDict, "a section"),
)

_AT_LEAST = {  # field: smallest allowed value
    "num_seeds": 1, "batch_size": 1, "accumulate_steps": 1, "log_every": 1, "eval_every": 0,
    "sample_every": 0, "checkpoint_every": 0, "keep_checkpoints": 1, "keep_every": 0,
    "num_samples": 1, "eval_num_samples": 1, "chunk": 0, "steps": 0, "epochs": 0,
    "examples": 0, "data.image_size": 0, "data.device_limit_mb": 0,
}  # fmt: skip


def validate(c: ConfigDict) -> None:
    """Raises `ConfigError` for the first field of the shared part that is out of range."""
    for field, least in _AT_LEAST.items():
        if get(c, field) < least:
            raise fail(field, get(c, field), f"must be at least {least}")
    check_seed("config.seed", c.seed, c.num_seeds)
    given = [f"{name}={c[name]}" for name in DURATIONS if c[name]]
    if len(given) != 1:
        raise ConfigError(
            f"config.steps, config.epochs, config.examples: {' and '.join(given) or 'none'} given; "
            "exactly one must be above 0 (set the others to 0)"
        )
    choose("executor", c.executor, EXECUTORS)
    choose("sharding", c.sharding, ("data", "fsdp"))
    choose("precision", c.precision, ("float32", "bfloat16"))
    choose("on_divergence", c.on_divergence, ("stop", "skip"))
    choose("best_mode", c.best_mode, ("min", "max"))
    choose("data.on_bad", c.data.on_bad, ("stop", "skip"))
    if c.best_metric and not c.eval_every:
        raise fail("best_metric", c.best_metric, "needs evaluations during the run: set eval_every")
    if c.eval_weights and not c.eval_metrics:
        raise fail("eval_weights", c.eval_weights, "needs eval_metrics")
    if c.data.channels not in (0, 1, 3):
        raise fail("data.channels", c.data.channels, "must be 0 (as stored), 1 (gray), 3 (color)")
    if "bleu_tokenize" in c.data:
        choose("data.bleu_tokenize", c.data.bleu_tokenize, BLEU_TOKENIZERS)
    if not 0 < c.data.test_fraction < 1:
        raise fail("data.test_fraction", c.data.test_fraction, "must be between 0 and 1, exclusive")
    if not 0 <= c.ema_decay < 1:
        raise fail("ema_decay", c.ema_decay, "must be at least 0 and below 1")
    if c.batch_size % c.accumulate_steps:
        raise fail("accumulate_steps", c.accumulate_steps, f"must divide batch_size={c.batch_size}")
    if c.num_seeds > 1 and c.executor != "vmap":
        raise fail("num_seeds", c.num_seeds, f"needs executor=vmap, not {c.executor}")
    for section in c:
        if section.endswith("optimizer"):
            _validate_optimizer(section, c[section])


def _validate_optimizer(section: str, o: ConfigDict) -> None:
    choose(f"{section}.name", o.name, OPTIMIZERS)
    choose(f"{section}.schedule", o.schedule, SCHEDULES)
    for name in ("b1", "b2"):
        if not 0 <= o[name] < 1:
            raise fail(f"{section}.{name}", o[name], "must be at least 0 and below 1")
    for name in ("learning_rate", "weight_decay", "clip_norm", "warmup_steps", "end_factor"):
        if o[name] < 0:
            raise fail(f"{section}.{name}", o[name], "must be at least 0")
    if o.eps <= 0:
        raise fail(f"{section}.eps", o.eps, "must be above 0")


def get(c: ConfigDict, field: str) -> Any:
    """The value of a dotted field name."""
    for name in field.split("."):
        c = c[name]
    return c


def fill(c: ConfigDict, defaults: ConfigDict, section: str = "") -> None:
    """Adds to `c`, unlocked, the fields of `defaults` that it lacks, those of sections as well.

    So a config that was written before a field was there means what it meant then: a new field's
    default leaves everything as it was.

    Raises:
      ConfigError: a field that is there has a value of another type than its default.
    """
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
        return c.steps
    if c.examples:
        return -(-c.examples // examples_per_step)
    if not num_examples:
        raise fail("epochs", c.epochs, f"data.name={c.data.name} has none; give steps or examples")
    return max(1, round(c.epochs * num_examples / examples_per_step))
