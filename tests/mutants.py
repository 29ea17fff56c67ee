"""Mutation testing of the models, the proof of labels and the certificates.

    python tests/mutants.py --count 100 --seed 0

Each mutant is the package with one operator, number or statement changed, chosen at random. It is
killed if a test fails that belongs to its file or, failing that, to its folder, or if they take
much longer than without it. The survivors are printed with their change, and the last line is the
share of the killed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDERS = ("formulations", "models", "scripts", "solvers")
# What is mutated, and the tests that every mutant there has to pass.
SUBJECTS = {
    "models": [
        "tests/models", "tests/test_bad_input.py", "tests/solvers/learning",
        "tests/formulations/learning",
    ],
    "solvers/clustering/labels": ["tests/solvers/clustering/labels", "tests/test_properties.py"],
    "solvers/certificates": [
        "tests/solvers/certificates", "tests/test_properties.py", "tests/solvers/test_certify.py",
    ],
}  # fmt: skip
SECONDS = 300.0  # after which the tests of a mutant are ended, and it counts as killed
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {"min": "max", "max": "min", "all": "any", "any": "all", "minimum": "maximum"}


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that are executed: no annotations, decorators, assertions or their text."""
    for name, field in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in field if isinstance(field, list) else [field]:
            is_strict = isinstance(child, ast.keyword) and child.arg == "strict"  # of `zip`
            silent = is_strict or isinstance(child, ast.Raise | ast.JoinedStr)
            if isinstance(child, ast.AST) and not silent:
                yield child
                yield from executed(child)


def mutate(node: ast.AST, how: int) -> bool:
    """Change a node in the given way; return whether there is such a way."""
    match node:
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op) if type(op) in SWAPS:
            ways = [(node, "op", SWAPS[type(op)]())]
        case ast.Compare(ops=[op]) if type(op) in SWAPS:
            opposite = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
            ways = [(node, "ops", [SWAPS[type(op)]()])]
            ways += [(node, "ops", [opposite[type(op)]()])] if type(op) in opposite else []
        case ast.Constant(value=bool(value)):
            ways = [(node, "value", not value)]
        case ast.Constant(value=int(value)):
            ways = [(node, "value", value + 1)]
        case ast.Constant(value=float(value)):
            ways = [(node, "value", 2 * value + (value == 0))]
        case ast.UnaryOp(op=ast.USub()):
            ways = [(node, "op", ast.UAdd())]
        case ast.UnaryOp(op=ast.Not()):
            ways = [(node, "operand", ast.UnaryOp(ast.Not(), node.operand))]
        case ast.Name(id=name) if name in NAMES:
            ways = [(node, "id", NAMES[name])]
        case ast.Attribute(attr=name) if name in NAMES:
            ways = [(node, "attr", NAMES[name])]
        case ast.If() | ast.IfExp():
            ways = [(node, "test", ast.Constant(True)), (node, "test", ast.Constant(False))]
        case _:
            return False
    if how >= len(ways):
        return False
    setattr(*ways[how])
    return True


def mutants(path: Path) -> list[tuple[int, int]]:
    """Return the places of a file and the ways that can be changed."""
    nodes = list(executed(ast.parse(path.read_text())))
    return [
        (k, how) for k, node in enumerate(nodes) for how in (0, 1) if mutate(copy.copy(node), how)
    ]


def changed(path: Path, place: int, how: int) -> tuple[str, str]:
    """Return the text of a mutant, and its change in words."""
    text = path.read_text()
    tree = ast.parse(text)
    node: Any = list(executed(tree))[place]
    line, before = text.splitlines()[node.lineno - 1].strip(), ast.unparse(node)
    mutate(node, how)
    change = f"{before.splitlines()[0]} -> {ast.unparse(node).splitlines()[0]}"
    where = f"{path.relative_to(ROOT)}:{node.lineno}"
    return ast.unparse(ast.fix_missing_locations(tree)), f"{where}: {change}   in   {line}"


def own_tests(path: Path) -> list[list[str]]:
    """Return the tests of a file by its name, if there are any, and those of its subject."""
    relative = path.relative_to(ROOT)
    subject = next(name for name in SUBJECTS if relative.is_relative_to(name))
    named = Path("tests") / relative.parent / f"test_{relative.stem.removeprefix('_')}.py"
    return [[str(named)], SUBJECTS[subject]] if (ROOT / named).exists() else [SUBJECTS[subject]]


def copy_package(folder: Path) -> None:
    """Copy the package as it is installed."""
    package = folder / "bilad"
    package.mkdir()
    for source in [*map(ROOT.joinpath, FOLDERS), *(ROOT / "package").iterdir()]:
        target = package / source.name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)


def is_killed(path: Path, text: str, folder: Path) -> bool:
    """Run the tests against a copy of the package with another text of one file."""
    target = folder / "bilad" / path.relative_to(ROOT)
    target.write_text(text)
    if "@kernel" in text:  # the machine code of a kernel contains that of the kernels it calls
        for near in target.parent.glob("*.py"):
            near.touch()
    try:
        return any(a_test_fails(tests, folder) for tests in own_tests(path))
    finally:
        shutil.copytree(path.parent, target.parent, dirs_exist_ok=True)


def a_test_fails(tests: list[str], folder: Path, seconds: float = SECONDS) -> bool:
    """Return whether a test fails, or the time is over, with the package of a folder."""
    own = {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        ended = subprocess.run(
            [*command, "-m", "not slow", *tests],
            cwd=ROOT,
            env=os.environ | own,
            capture_output=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return True
    return ended.returncode not in (0, 5)


def main() -> None:
    """Draw mutants, test them, and print the survivors and the score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="number of mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--under", default="", help="a folder or file; by default all subjects")
    options = parser.parse_args()
    began = time.perf_counter()
    files = [path for name in SUBJECTS for path in sorted((ROOT / name).rglob("*.py"))]
    files = [path for path in files if path.is_relative_to(ROOT / options.under)]
    places = [(path, *place) for path in files for place in mutants(path)]
    drawn = random.Random(options.seed).sample(places, min(options.count, len(places)))
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(options.jobs) as pool:
        folders = [Path(root) / str(job) for job in range(options.jobs)]
        for folder in folders:
            folder.mkdir()
            copy_package(folder)
        everything = sorted({name for path in files for name in own_tests(path)[-1]})
        compiling = 4 * SECONDS
        if any(pool.map(lambda folder: a_test_fails(everything, folder, compiling), folders)):
            sys.exit("the tests fail without a mutant")
        free: Queue[Path] = Queue()
        for folder in folders:
            free.put(folder)

        def test(one: tuple[Path, int, int]) -> tuple[bool, str]:
            text, what = changed(*one)
            folder = free.get()
            killed = is_killed(one[0], text, folder)
            free.put(folder)
            print("killed  " if killed else "SURVIVED", what, flush=True)
            return killed, what

        results = list(pool.map(test, drawn))
    for killed, what in results:
        if not killed:
            print("survivor", what)
    score, seconds = sum(killed for killed, _ in results), time.perf_counter() - began
    print(f"{score} of {len(results)} mutants killed, of {len(places)} possible; {seconds:.0f} s")


if __name__ == "__main__":
    main()
