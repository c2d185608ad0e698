"""The pages are true: commands are accepted, names and links lead somewhere, tables are as made."""

import ast
import importlib
import pkgutil
import re
import runpy
import shlex
import shutil
import subprocess

import jax
import pytest
import yaml

from tests import papers

DOCS = papers.ROOT / "docs"
_FOLDERS = "benchmarks|configs|docs|examples|experiments|genjax|tests"


def _page(path):
    return str(path.relative_to(papers.ROOT))


_COMMANDS = {shlex.join(c): c for page in papers.PAGES for c in papers.commands(page.read_text())}


@pytest.mark.parametrize("command", _COMMANDS)
def test_commands_are_accepted_with_their_recipes_fields_and_flags(command, monkeypatch):
    monkeypatch.chdir(papers.ROOT)
    papers.accept(_COMMANDS[command])


@pytest.mark.parametrize("path", papers.PAGES, ids=_page)
def test_links_files_and_modules_are_there(path):
    text = path.read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
    files = [w for w in papers.inline(text) if re.fullmatch(rf"({_FOLDERS})/[\w./*-]*", w)]
    assert [
        name for name in files if not list(papers.ROOT.glob(name.rstrip("/").replace("NAME", "*")))
    ] == []
    modules = [w for w in papers.inline(text) if re.fullmatch(r"genjax(\.\w+)+", w)]
    for name in modules + re.findall(r"^::: (\S+)", text, re.MULTILINE):
        pkgutil.resolve_name(name)
    targets = set(re.findall(r"^([\w-]+):", (papers.ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)`", text)) <= targets


def test_every_page_is_in_the_navigation():
    def pages(tree):
        values = tree.values() if isinstance(tree, dict) else tree
        return {tree} if isinstance(tree, str) else {p for v in values for p in pages(v)}

    found = {str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md")}
    assert pages(yaml.safe_load((papers.ROOT / "mkdocs.yml").read_text())["nav"]) == found


def test_generated_tables_are_those_of_the_declared_fields_and_the_recorded_rows():
    generate = runpy.run_path(str(DOCS / "generate.py"))
    again = "write it again: python docs/generate.py"
    for page, text in generate["pages"]().items():
        assert page.read_text() == text, f"{page}: {again}"


@pytest.mark.parametrize("stored", sorted(DOCS.glob("*.json")), ids=lambda path: path.stem)
def test_a_page_of_a_record_is_made_again_as_it_is(stored, tmp_path):
    task = {"distillation": ["--task=multi30k"]}.get(stored.stem, [])
    again = [f"--record={shutil.copy(stored, tmp_path)}", f"--workdir={tmp_path / 'none'}"]
    study = importlib.import_module(f"experiments.{stored.stem}")
    assert study.main([*task, *again, "--table_only"]) == 0
    page = stored.with_suffix(".md")
    assert (tmp_path / page.name).read_text() == page.read_text()


def test_the_job_for_slurm_is_a_script_whose_command_is_accepted(monkeypatch):
    script = DOCS / "train.sbatch"
    subprocess.run(["bash", "-n", script], check=True)
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", script.read_text(), re.MULTILINE))
    assert options["ntasks-per-node"] == options["gpus-per-node"]  # JAX takes a device a process
    monkeypatch.chdir(papers.ROOT)
    (command,) = papers.commands(f"```bash\n{script.read_text()}```")
    assert "--config.executor=sharded" in command
    papers.accept(command)


def test_what_the_page_does_from_python_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = "\n".join(papers.blocks((DOCS / "running.md").read_text(), "python"))
    names = {}
    exec(source.replace("epochs=10", "steps=2"), names)
    assert (names["result"].step, names["samples"].shape) == (2, (64, 8, 8, 1))
    assert names["codes"].shape == (len(names["images"]), 16)
    assert all(bool(jax.numpy.isfinite(x).all()) for x in jax.tree.leaves(names["gradient"]))


def _functions():
    for path in sorted((papers.ROOT / "genjax").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (
                doc := ast.get_docstring(node)
            ):
                yield path, node, doc


def test_docstrings_explain_parameters_that_exist():
    wrong = []
    for path, node, doc in _functions():
        inner = [n for n in ast.walk(node) if isinstance(n, ast.FunctionDef)][:1]
        inits = [n for n in ast.walk(node) if getattr(n, "name", "") == "__init__"] or inner
        if isinstance(node, ast.ClassDef) and not inits:
            continue
        a = (inits[0] if isinstance(node, ast.ClassDef) else node).args
        there = {x.arg for x in [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg] if x}
        section = re.search(r"^Args:\n((?:  .*\n?|\n)+)", doc, re.MULTILINE)
        told = re.findall(r"^  (\*{0,2}\w[\w, *]*):", section[1], re.MULTILINE) if section else []
        names = {n.strip().lstrip("*") for group in told for n in group.split(",")}
        wrong += [f"{path}:{node.lineno} {name}" for name in sorted(names - there)]
    assert wrong == []
