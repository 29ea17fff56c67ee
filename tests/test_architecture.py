"""The folder tree shows the architecture: arrows between floors and between folders go one way."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = ["models", "formulations", "solvers", "scripts"]  # from the ground up


def imports_of(file):
    """Dotted names of the package's own modules that a file imports, without `bilad`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bilad."):
            yield node.module.split(".")[1:]


def files_of(floor):
    return [path for path in (ROOT / floor).rglob("*.py") if "__pycache__" not in path.parts]


def folders_that_import(floor):
    """Folders of a floor, or files that stand beside them, and the folders each imports."""
    graph = {}
    for file in files_of(floor):
        own = file.relative_to(ROOT / floor).with_suffix("").parts[0]
        seen = {names[1] for names in imports_of(file) if names[0] == floor and len(names) > 1}
        graph.setdefault(own, set()).update(seen - {own})
    return graph


def test_floors_import_downwards_only():
    for height, floor in enumerate(FLOORS):
        files = files_of(floor)
        assert files
        for file in files:
            for names in imports_of(file):
                assert FLOORS.index(names[0]) <= height, (file, names)


def test_folders_of_solvers_have_an_order():
    graph = folders_that_import("solvers")
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    stack = ["partition", "lower", "certificates", "upper", "certify"]
    assert sorted(stack, key=order.index) == stack


def test_modules_have_an_order():
    for floor in FLOORS:
        graph = {
            ".".join(file.relative_to(ROOT).with_suffix("").parts): {
                ".".join(names) for names in imports_of(file)
            }
            for file in files_of(floor)
            if file.name != "__init__.py"
        }
        list(TopologicalSorter(graph).static_order())  # raises CycleError
