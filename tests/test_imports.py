"""Rooms import downwards only, and no two modules import each other."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Each imports from those before it.
ROOMS = (
    "core", "ops", "heads", "losses", "models", "data", "generation", "families", "plots", "engine",
    "hf", "trained", "evaluation", "recipes", "api", "cli", "__main__",
)  # fmt: skip
OUTSIDE = ("experiments", "benchmarks", "configs", "tests")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("genjax", "benchmarks", "experiments")
    for path in (ROOT / folder).rglob("*.py")
}


def imports(nodes: Iterator[ast.AST], module: str) -> Iterator[str]:
    """Yields the full names that the statements import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else str(node.module)


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields the statements that run when a module is imported: those in no function."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from at_import(node)


def room(module: str) -> str:
    return module.split(".")[1]


def test_a_room_imports_those_before_it():
    """Imports within functions count as well."""
    wrong = []
    for module in MODULES:
        if not module.startswith("genjax."):
            continue
        allowed = ROOMS[: ROOMS.index(room(module)) + 1]
        for name in imports(ast.walk(ast.parse(MODULES[module].read_text())), module):
            above = name.split(".")[0]
            inside = above == "genjax" and name != "genjax"
            if above in OUTSIDE or (inside and room(name) not in allowed):
                wrong.append(f"{module} imports {name}")
    assert not wrong


def test_no_modules_import_each_other_in_a_circle():
    graph = {
        module: {
            name
            for name in imports(at_import(ast.parse(path.read_text())), module)
            if name in MODULES and name != module
        }
        for module, path in MODULES.items()
    }
    tuple(graphlib.TopologicalSorter(graph).static_order())  # a circle raises CycleError


def test_what_measures_knows_no_row_and_a_peer_nothing_of_genjax():
    for module, path in MODULES.items():
        names = set(imports(ast.walk(ast.parse(path.read_text())), module))
        if module.startswith("benchmarks.harness"):
            assert not {n for n in names if n.startswith(("benchmarks.rows", "benchmarks.peers"))}
        if module.startswith("benchmarks.peers"):
            assert not {n for n in names if n.startswith(("genjax", "jax", "benchmarks.rows"))}
