"""The folder tree shows the architecture: arrows between floors and between folders go one way."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ["models", "formulations", "solvers", "scripts"]  # from the ground up


# Whatever is true of every learning model: it names none.
GENERIC = [
    *(ROOT / "solvers" / "upper").rglob("*.py"),
    *(ROOT / "solvers" / "bilevel").rglob("*.py"),
    *(ROOT / "solvers" / "followers").rglob("*.py"),
    *(ROOT / "formulations").glob("*.py"),
    *(ROOT / "models" / "learning" / f"{name}.py" for name in ("capability", "learning_model")),
    ROOT / "models" / "problem.py",
    ROOT / "models" / "registry.py",
    ROOT / "models" / "smooth_deviation.py",
    ROOT / "solvers" / "certify.py",
]
OF_ONE_MODEL = ("ConvexClustering", "white_box", "clustering_of")
OF_ONE_MODEL_IMPORTS = (
    "models.learning.convex_clustering",
    "models.learning.clustering_problem",
    "models.learning.separable",
    "formulations.clustering",
    "solvers.certificates",
    "solvers.clustering",
)
# What cannot be avoided yet: file, and what it imports all the same.
YET = {
    # Registers convex clustering, and shows its conic program.
    "formulations/__init__.py": {"formulations.clustering.conic", "formulations"},
    # The steps along a ray are a parametric path with exact breakpoints for every learning model.
    "solvers/upper/parametric.py": {
        "solvers.clustering.parametric.parametric_path",
        "solvers.clustering.parametric.optimum",
    },
    "solvers/upper/ray_samples.py": {"solvers.clustering.parametric.parametric_path"},
    # A cell of the MILP, and the program of its margin, are what `write_milp` gives.
    "solvers/upper/milp.py": {
        "formulations.clustering.milp.closed_cell",
        "formulations.clustering.milp.program",
    },
    # How the multipliers of the pair of a second-order cone are read.
    "solvers/bilevel/stationarity.py": {"formulations.clustering.edge_terms"},
    # The file of a counterexample holds a partition and a graph.
    "solvers/certify.py": {"solvers.certificates.counterexample"},
}


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
    stack = ["clustering", "certificates", "certify"]
    assert sorted(stack, key=order.index) == stack
    stack = ["nlp", "bilevel", "followers"]
    assert sorted(stack, key=order.index) == stack
    stack = ["nlp", "bilevel", "upper", "certify"]
    assert sorted(stack, key=order.index) == stack


def test_certificates_have_four_floors():
    """A file imports files of lower floors only."""
    graph = {
        file.stem: {
            names[2] for names in imports_of(file) if names[:2] == ["solvers", "certificates"]
        }
        for file in files_of("solvers/certificates")
        if file.name != "__init__.py"
    }
    height = {}
    for name in TopologicalSorter(graph).static_order():
        height[name] = 1 + max((height[below] for below in graph[name]), default=0)
    assert max(height.values()) == 4


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


@pytest.mark.parametrize("file", GENERIC, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_holds_for_every_learning_model_names_none(file):
    text = file.read_text()
    assert not [name for name in OF_ONE_MODEL if name in text]
    own = {".".join(names) for names in imports_of(file)}
    found = {name for name in own if name.startswith(OF_ONE_MODEL_IMPORTS)}
    allowed = YET.get(str(file.relative_to(ROOT)), set())
    assert found <= allowed
    assert allowed <= own, "an exception that is none any more"


@pytest.mark.parametrize("floor", FLOORS)
def test_nobody_asks_which_of_the_two_problems_it_is(floor):
    """A problem knows its sense, its radius and what an attack is."""
    for file in files_of(floor):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "isinstance",
                "issubclass",
            ):
                kinds = ast.unparse(node.args[1])
                assert "MaxDeviation" not in kinds, file
                assert "MinPerturbation" not in kinds, file
