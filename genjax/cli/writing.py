"""`genjax.cli.sample` for models that write texts, or tell their classes or tags."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from genjax.cli import program
from genjax.core import files
from genjax.core.config import ConfigError

_SUFFIXES = (".txt", ".png")
_TAGS, _CLASSES = (".conll", ".txt"), (".tsv", ".txt")
PREDICTED = (".conll", ".tsv")  # suffixes of predictions alone
_OWN = ("prompt", "prompts")  # flags of text that are for predictions too
_DRAWN = ("temperature", "top_k", "top_p", "min_p")  # flags that beam search does not follow


def define(values: flags.FlagValues) -> None:
    """Defines flags of text; those that are None depend on others."""
    text: Any = {"flag_values": values}
    flags.DEFINE_multi_string(
        "prompt",
        [],
        "What a text begins with, or a text to translate, classify or tag; may be repeated.",
        **text,
    )
    flags.DEFINE_string("prompts", "", "A file of prompts, each line one; UTF-8 or gzip.", **text)
    define_drawing(values)
    flags.DEFINE_integer("beam", 0, "Width of beam search, which gives the n best.", 0, **text)
    flags.DEFINE_float("length_penalty", 0.6, "Of beam search; 0: none.", 0, **text)


def define_drawing(values: flags.FlagValues) -> None:
    """Defines how tokens are drawn; `sampling` reads it."""
    text: Any = {"flag_values": values}
    flags.DEFINE_integer("max_tokens", None, "Of a text.", 1, **text)
    flags.DEFINE_float(
        "temperature", None, "0: the likeliest token. By default 1; of translations 0.", 0, **text
    )
    flags.DEFINE_integer("top_k", 0, "Draw among so many tokens; 0: all.", 0, **text)
    flags.DEFINE_float("top_p", 1.0, "Draw among the likeliest of this share.", 0, 1, **text)
    flags.DEFINE_float("min_p", 0.0, "Draw what is so probable beside the likeliest.", 0, 1, **text)
    flags.DEFINE_float(
        "repetition_penalty", 1.0, "Above 1: tokens come again more rarely.", 0.01, **text
    )
    flags.DEFINE_integer("no_repeat", 0, "No so many tokens come twice; 0: all may.", 0, **text)


def sampling(values: Any, continues: bool) -> Any:
    """Returns the `Sampling` of the flags, of a model that continues texts or answers sources."""
    from genjax.generation import Sampling

    temperature = values.temperature
    if temperature is None:
        temperature = 1.0 if continues else 0.0
    return Sampling(
        temperature,
        values.top_k,
        values.top_p,
        values.min_p,
        values.repetition_penalty,
        values.no_repeat,
    )


def refuse(values: Any, what: str) -> None:
    """Raises `ConfigError` if a flag of text is given for `what`, which is none."""
    program.refuse(values, define, f"is for models that write texts; this is {what}")


def check(values: Any) -> None:
    """Raises `ConfigError` if flags do not go together."""
    if values.beam:
        given = [name for name in _DRAWN if values[name].present]
        if given:
            value = values[given[0]].value
            raise ConfigError(f"--{given[0]}={value}: is for draws; beam search makes none")
        if (values.n or 1) > values.beam:
            raise ConfigError(f"--n={values.n}: must be at most --beam={values.beam}")
    check_beam(values)
    if values.prompt and values.prompts:
        raise ConfigError(f"--prompts={values.prompts}: must not be given beside --prompt")


def check_beam(values: Any) -> None:
    """Raises `ConfigError` for a length penalty without a beam."""
    if not values.beam and values["length_penalty"].present:
        raise ConfigError(f"--length_penalty={values.length_penalty}: needs --beam")


def write(model: Any, values: Any) -> int:
    """Writes what the flags ask for to the terminal or to --out; returns the exit status."""
    from genjax.core.capabilities import Attends, Writes
    from genjax.core.family import Family
    from genjax.evaluation.shown import BETWEEN
    from genjax.generation.texts import TextGenerator
    from genjax.trained.predictions import can_predict

    out = Path(values.out).expanduser() if values.out else None
    if can_predict(model):
        return _predict(model, values, out)
    if out is not None and out.suffix not in _SUFFIXES:
        raise ConfigError(f"--out={out}: must end in {' or '.join(_SUFFIXES)} for texts")
    family: Family = model.family
    prompts, n = _prompts(values), values.n or 1
    if not isinstance(family, Writes):
        return _write_samples(model, prompts, n, values, out)
    if out is not None and out.suffix == ".png" and not isinstance(family, Attends):
        raise ConfigError(f"--out={out}: {model.config.family} has no attention to draw; use .txt")
    generator = TextGenerator(family, model.run.dataset, model.state, prefix="--")
    if not prompts and not generator.continues:
        if family.has_prior:
            return _write_samples(model, prompts, n, values, out)
        raise ConfigError("--prompt: missing; must be a sentence, or --prompts a file of them")
    drawn = sampling(values, generator.continues)
    prompts = prompts or [""]
    if len(prompts) == n == 1 and not values.beam and out is None:
        limit = values.max_tokens or 0
        _stream(
            prompts[0] if generator.continues else "",
            generator.stream(prompts[0], max_tokens=limit, seed=values.seed, sampling=drawn),
        )
        return program.DONE
    written = generator.write(
        prompts,
        n=n,
        max_tokens=values.max_tokens or 0,
        seed=values.seed,
        sampling=drawn,
        beam=values.beam,
        length_penalty=values.length_penalty,
    )
    if out is not None and out.suffix == ".png":
        return _draw(out, model, written[::n])
    scored = [f"{text.score:.4f}\t" if values.beam and n > 1 else "" for text in written]
    if not generator.continues:
        answers = [" ".join(t.text.split("\n")) for t in written]  # a line for each
        return _tell([s + answer for s, answer in zip(scored, answers)], out, "\n")
    starts = [prompt for prompt in prompts for _ in range(n)]
    texts = [s + p + t.text for s, p, t in zip(scored, starts, written)]
    return _tell(texts, out, f"\n{BETWEEN}\n")


def _predict(model: Any, values: Any, out: Path | None) -> int:
    from genjax.core.capabilities import Tags

    _check_predicting(values, model.config.family, tags=isinstance(model.family, Tags))
    prompts = _prompts(values)
    if not prompts:
        raise ConfigError("--prompt: missing; must be a text, or --prompts a file of them")
    return _tell(_predictions(model, prompts), out, "\n")


def _check_predicting(values: Any, family: str, tags: bool) -> None:
    """Raises `ConfigError` for a flag that is not for predictions of tags, or of classes."""
    own = flags.FlagValues()
    define(own)
    for name in ["n", *own]:
        if name not in _OWN and values[name].present:
            message = f"is for models that write texts; {family} says what they are"
            raise ConfigError(f"--{name}={values[name].value}: {message}")
    suffixes, what = (_TAGS, "tags") if tags else (_CLASSES, "classes")
    if values.out and Path(values.out).suffix not in suffixes:
        raise ConfigError(f"--out={values.out}: must end in {' or '.join(suffixes)} for {what}")


def _predictions(model: Any, prompts: Sequence[str]) -> list[str]:
    """Makes a line for each text: class, probability and the text, tabs between them.

    Of a tagger the lines of each sentence's words, each with a tab and its tag, and an empty line
    behind each sentence, as `conll:FILE` has them.
    """
    from genjax.core.capabilities import Tags
    from genjax.trained.predictions import classify, tag

    if not isinstance(model.family, Tags):
        classified = zip(classify(model, prompts), prompts)
        return [f"{c.label}\t{c.probability:.4f}\t{prompt}" for c, prompt in classified]
    found = []
    for words in tag(model, prompts):
        found += [*(f"{word}\t{name}" for word, name in words), ""]
    return found


def _write_samples(model: Any, prompts: Sequence[str], n: int, values: Any, out: Any) -> int:
    """Writes what a model that reads no prompts draws of itself."""
    from genjax.core.capabilities import Samples
    from genjax.evaluation.shown import BETWEEN

    family = model.config.family
    if not model.family.has_prior or not isinstance(model.family, Samples):
        raise ConfigError(f"--workdir={values.workdir}: its family, {family}, writes no texts")
    if prompts:
        raise ConfigError(f"--prompt={prompts[0]}: {family} takes none; it draws whole texts")
    return _tell(model.strings(model.sample(n, values.seed)), out, f"\n{BETWEEN}\n")


def _prompts(values: Any) -> list[str]:
    return lines_of(values, "prompts") if values.prompts else list(values.prompt)


def lines_of(values: Any, flag: str) -> list[str]:
    """Reads the lines of the file that a flag names; raises `ConfigError`."""
    from genjax.data.text.files import whole_lines

    try:
        return whole_lines(Path(values[flag].value).expanduser())
    except ConfigError as error:
        raise ConfigError(f"--{flag}={error}") from error


def _stream(prompt: str, pieces: Any) -> None:
    first = next(pieces)  # whatever is wrong is told before anything is printed
    print(prompt + first, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def _tell(texts: Sequence[str], out: Path | None, between: str) -> int:
    """Writes texts to the terminal, or to a file, whose path is printed."""
    whole = between.join(texts)
    if out is None:
        print(whole)
        return program.DONE
    with files.writing(f"--out={out}"):
        out.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(out, f"{whole}\n")
    print(out)
    return program.DONE


def _draw(out: Path, model: Any, written: Sequence[Any]) -> int:
    from genjax.evaluation.shown import attention_maps
    from genjax.plots.grid import save_png

    with files.writing(f"--out={out}"):
        save_png(out, attention_maps(model, written))
    print(out)
    return program.DONE
