"""Where code may be loaded, unpickled or started, by an exact list: nothing else in genjax does."""

import ast
from collections import Counter
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent

# (file, what is called): how often, and why it is no way for data to be executed.
ALLOWED = {
    ("genjax/core/__init__.py", "import_module"): (1, "a module of genjax/core, by a list"),
    ("genjax/core/execution.py", "compile"): (1, "of a file that the user names"),
    ("genjax/core/execution.py", "exec"): (1, "of a file that the user names"),
    ("genjax/__init__.py", "import_module"): (2, "modules of genjax, by a list"),
    ("genjax/cli/main.py", "import_module"): (1, "a program of genjax/cli, by a list"),
    ("genjax/families/__init__.py", "import_module"): (1, "a module of genjax/families, by a list"),
    ("genjax/core/arrays.py", "load"): (1, "numpy's, allow_pickle=False, each part checked before"),
    ("genjax/data/cache.py", "load"): (1, "numpy's, allow_pickle=False, each file checked before"),
    ("genjax/evaluation/image/weights.py", "load"): (
        1,
        "torch's, weights_only=True, from 2.6 on",
    ),
    ("genjax/engine/versions.py", "subprocess.run"): (1, "git, of genjax's own folder"),
    ("genjax/data/tfds.py", "find_spec"): (1, "of the constant tensorflow"),
    ("genjax/data/image/digits.py", "find_spec"): (1, "of the constant sklearn"),
    ("genjax/cli/launch.py", "find_spec"): (2, "of the constants kubernetes and libtpu"),
}
# What may run that which it is given, whatever it is an attribute of.
_RUNS = {
    "exec", "eval", "compile", "__import__", "import_module", "find_spec", "exec_module",
    "spec_from_file_location", "load_module", "run_path", "run_module", "system", "popen", "Popen",
    "check_output", "check_call", "call", "execv", "execve", "execvp", "spawnl", "spawnv",
    "Unpickler", "unsafe_load", "full_load", "eval_type", "get_type_hints",
}  # fmt: skip
_MODULES = {
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "runpy", "imp",
    "code", "codeop", "yaml", "ctypes", "cffi", "multiprocessing", "pty", "pexpect",
}  # fmt: skip
_LIBRARIES = {"np", "numpy", "torch", "jnp", "pickle", "yaml", "joblib"}  # whose `load` reads files


def _calls(tree):
    """What a module calls or imports that may run something, by name."""
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported.update(a.asname or a.name for a in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or a.name for a in node.names]
            yield from (f"import {n}" for n in names if n.split(".")[0] in _MODULES)
        elif isinstance(node, ast.keyword) and node.arg in (
            "allow_pickle",
            "weights_only",
            "shell",
        ):
            safe = isinstance(node.value, ast.Constant) and node.value.value is (
                node.arg == "weights_only"
            )
            if not safe:
                yield f"{node.arg}={ast.unparse(node.value)}"
        elif isinstance(node, ast.Call):
            yield from _call(node, imported)


def _call(node, imported):
    f = node.func
    if isinstance(f, ast.Name) and f.id in _RUNS:
        yield f.id
    if isinstance(f, ast.Attribute):
        owner = ast.unparse(f.value)
        if f.attr in ("load", "loads") and owner in _LIBRARIES:
            yield f.attr
        elif owner == "subprocess":
            yield f"subprocess.{f.attr}"
        # `re.compile`, and `lower(…).compile()` of jax, compile no Python.
        elif f.attr in _RUNS and not (f.attr == "compile" and (owner == "re" or not node.args)):
            yield f.attr
    # A name from data must choose no attribute of a module.
    if isinstance(f, ast.Name) and f.id == "getattr" and node.args:
        owner = ast.unparse(node.args[0])
        if not isinstance(node.args[1], ast.Constant) and owner in imported:
            yield f"getattr({owner}, {ast.unparse(node.args[1])})"


def test_nothing_but_what_is_listed_loads_or_starts_code():
    found = Counter()
    for path in sorted((_ROOT / "genjax").rglob("*.py")):
        tree = ast.parse(path.read_text())
        file = str(path.relative_to(_ROOT))
        found.update((file, call) for call in _calls(tree))
    assert dict(found) == {key: number for key, (number, _) in ALLOWED.items()}


def test_nothing_of_ours_puts_a_folder_on_the_path_but_while_a_named_file_runs():
    users = {
        str(path.relative_to(_ROOT))
        for path in (_ROOT / "genjax").rglob("*.py")
        if any(
            isinstance(n, ast.Attribute) and ast.unparse(n) in ("sys.path", "site.addsitedir")
            for n in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert users == {"genjax/core/execution.py"}
