"""A run's folder that was downloaded may hold anything: one line, nothing run, nothing written."""

import contextlib
import hashlib
import json
import os
from pathlib import Path

import pytest

import genjax
from genjax.core.config import ConfigError
from genjax.engine.writers import read_metrics
from tests.cli.helpers import main
from tests.engine.processes import run_python
from tests.hostile.judge import refused, snapshot


def digest(content):
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def config(change):
    """Changes what `config.json` holds."""

    def apply(run: Path):
        record = json.loads((run / "config.json").read_text())
        change(record)
        (run / "config.json").write_text(json.dumps(record))

    return apply


def field(name, value):
    def change(record):
        *sections, last = name.split(".")
        for section in sections:
            record = record[section]
        record[last] = value

    return config(change)


def manifest(change):
    """Changes a checkpoint's manifest, and its checksum with it."""

    def apply(run: Path):
        path = run / "checkpoints" / "4" / "genjax_manifest.json"
        body = json.loads(path.read_text())
        del body["self"]
        change(body)
        whole = digest(json.dumps(body, sort_keys=True).encode())
        path.write_text(json.dumps(body | {"self": whole}))

    return apply


def text(name, content):
    return lambda run: (run / name).write_bytes(content)


def rubbish(run: Path):
    """Arrays that are none, in a checkpoint whose checksums are right."""
    path = run / "checkpoints" / "4"
    for file in path.rglob("*"):
        if file.is_file() and "manifest" not in file.name and not file.name.startswith("_"):
            file.write_bytes(b"x" * 100)

    def agree(body):
        for name in body["files"]:
            content = (path / name).read_bytes()
            body["files"][name] = [len(content), digest(content)]

    manifest(agree)(run)


def outside(run: Path):
    """A file of a checkpoint that is a link out of it, to the very same content."""
    path = run / "checkpoints" / "4"
    file = next(p for p in sorted(path.rglob("*")) if p.is_file() and p.name == "_METADATA")
    file.rename(run.parent / "moved")
    file.symlink_to(run.parent / "moved")


def deep(run: Path):
    inner: object = 1
    for _ in range(700):
        inner = {"a": inner}
    field("config.model", inner)(run)


NO_CHECKPOINT = "has no complete checkpoint"
CASES = {
    "config: a family that is no text": (field("config.family", 3), "config.family=3: must be"),
    "config: a family without end": (field("config.family", "x" * 10**6), "config.family='xxx"),
    "config: half a character": (field("config.family", "\ud800"), "config.family="),
    "config: a section that is a number": (field("config.optimizer", 3), "config.optimizer=3"),
    "config: a number that is text": (field("config.steps", "4"), "config.steps='4': must be"),
    "config: a number that is true": (field("config.batch_size", True), "batch_size=True"),
    "config: a number that is a list": (field("config.data.image_size", [1]), "data.image_size"),
    "config: a name with dots": (field("config.model", {"a.b": 3}), "config.json: "),
    "config: a model that is text": (field("config.model", "import os"), "config.model='import os"),
    "config: 700 sections": (deep, "config.json: "),
    "manifest: leads out": (
        manifest(lambda m: m["files"].update({"../../config.json": [1, "0"]})), NO_CHECKPOINT,
    ),
    "manifest: absolute": (
        manifest(lambda m: m["files"].update({"/etc/passwd": [1, "0"]})), NO_CHECKPOINT,
    ),
    "manifest: leaves that are numbers": (
        manifest(lambda m: m.update(leaves={"a": 3})), NO_CHECKPOINT,
    ),
    "manifest: a note that is none": (manifest(lambda m: m.update(note=[1])), NO_CHECKPOINT),
    "manifest: files that are none": (manifest(lambda m: m.update(files=3)), NO_CHECKPOINT),
    "manifest: sizes that are none": (
        manifest(lambda m: m["files"].update({"_METADATA": "x"})), NO_CHECKPOINT,
    ),
    "manifest: deep": (
        text("checkpoints/4/genjax_manifest.json", b'{"a":' * 10**6), NO_CHECKPOINT,
    ),
    "manifest: other leaves": (
        manifest(lambda m: m["leaves"].update({"step": "float32[99999999999]"})), "another config",
    ),
    "checkpoint: a link out of it": (outside, NO_CHECKPOINT),
    "checkpoint: rubbish with its checksums": (rubbish, "cannot be restored"),
    "population: of a single run": (text("population.json", b'{"seeds": 3}'), "population.json"),
    "population: deep": (text("population.json", b"[" * 10**6), "population.json"),
    "population: other numbers": (
        text("population.json", b'{"seeds": [1, 2], "hyperparameters": {"a": [1]}}'), "'a'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_run_of_pictures(case, trained):
    change, message = CASES[case]
    change(trained)
    assert message in refused(trained, lambda: genjax.load(trained))


def test_a_checkpoint_of_rubbish_leaves_no_word_but_the_error(trained):
    """Its leaves are read side by side, and all of them fail."""
    rubbish(trained)
    code = """
    import sys, time, genjax
    try:
        genjax.load(sys.argv[1])
    except ValueError:
        time.sleep(0.5)  # the others fail meanwhile
    """
    assert run_python(code, trained) == [("", "")]


VOCABULARY = "vocabulary.json"
VOCABULARIES = {
    "deep": b"[" * 10**6,
    "a list": b"[1]",
    "no kind": b'{"x": {}}',
    "tokens that are numbers": b'{"kind": "text", "x": {"tokenizer": "word", "tokens": [1, 2]},'
    b' "labels": []}',
    "characters of several": b'{"kind": "text", "x": {"tokenizer": "char", "tokens": ["abc"]},'
    b' "labels": []}',
    "an argument that is none": b'{"kind": "text", "x": {"tokenizer": "char", "tokens": [],'
    b' "evil": 1}, "labels": []}',
    "a model of brackets": b'{"kind": "text", "x": {"tokenizer": "bpe", "model": {"model": []}},'
    b' "labels": []}',
    "labels that are numbers": b'{"kind": "text", "x": {"tokenizer": "char", "tokens": ["a"]},'
    b' "labels": [3]}',
    "NaN": b'{"kind": "text", "x": {"tokenizer": "char", "tokens": ["a"], "rules": NaN}}',
}


@pytest.mark.parametrize("case", VOCABULARIES)
def test_a_vocabulary(case, tmp_path):
    from genjax.data.text import vocabulary

    (tmp_path / VOCABULARY).write_bytes(VOCABULARIES[case])
    message = refused(tmp_path, lambda: vocabulary.load(tmp_path, "text"))
    assert f"{VOCABULARY}: cannot be read" in message


def test_programs_leave_with_status_2_and_one_line(trained, capfd):
    field("config.steps", "4")(trained)
    before = snapshot(trained)
    for program in ("evaluate", "sample", "latent"):
        capfd.readouterr()
        assert main(program, f"--workdir={trained}") == 2
        assert capfd.readouterr().err.count("\n") == 1
    assert snapshot(trained) == before


def test_damaged_rows_of_metrics_are_passed_over(tmp_path):
    rows = [
        b'{"step": 1, "train/loss": 2.0}', b"[" * 10**5, b"9" * 5000, b'{"step": "x"}', b"\xff",
        b'{"step": 2, "step": 3}', b'{"step": 4, "a": "NaN"}', b"0" * 2**25,
    ]  # fmt: skip
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join(rows))
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [1, 4]


@pytest.mark.parametrize("content", [b"[" * 10**6, b'{"groups": 1, "groups": 2}', b"[]", b"\xff"])
def test_the_record_of_a_sweep(content, tmp_path):
    from genjax.cli import sweep

    (tmp_path / "sweep.json").write_bytes(content)
    message = refused(tmp_path, lambda: sweep._check_workdir("w", tmp_path, []))
    assert "sweep.json: cannot be read" in message


def test_a_pipe_for_a_config_is_not_waited_for(trained):
    (trained / "config.json").unlink()
    os.mkfifo(trained / "config.json")
    with contextlib.suppress(ConfigError):  # it is told, or put back from a checkpoint
        genjax.load(trained)
