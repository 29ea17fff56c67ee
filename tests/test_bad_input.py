"""Wrong arguments of every public function: the error names the argument, and nothing is solved.

A row of the table is a call with right arguments, and wrong values of each argument. A public name
without a row, and an argument of a row without wrong values, fail a test.
"""

import inspect
import math
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo
import pytest
import scipy.sparse
from sklearn.dummy import DummyClassifier
from support.followers import bard
from support.toy_model import NonnegativeMean
from support.unsolved import SolvedError, nothing_is_solved

import bilad
from bilad.models import (
    ArgumentError,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    LogisticRegression,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    between_clusters,
    chosen_pairs,
    deviation,
)
from bilad.solvers.certificates.counterexample import CounterexampleError
from bilad.solvers.upper import UPPER_METHODS, refusal

NAN, INF = math.nan, math.inf
DATA = np.array([[0.0, 0.1], [0.2, 0.0], [0.1, 0.3], [5.0, 5.1], [5.2, 5.0], [5.1, 5.3]])
LABELS = [0, 0, 0, 1, 1, 1]
GRAPH, CHAIN = FusionGraph.complete(6), FusionGraph(6, [[0, 1], [1, 2]], [1.0, 1.0])
MODEL, LINE = ConvexClustering(DATA, GRAPH, 0.1), ConvexClustering(DATA[:, :1], GRAPH, 0.1)
MOVE, CUT = Perturbation.additive((6, 2), points=[0]), Perturbation.edges(GRAPH)
SHIFT = Perturbation.shift(np.eye(6)[:, :1])
HALVES = Perturbation.linear((6, 2), None, GRAPH, np.eye(15), 0.0, 0.5)
BL1 = MaxDeviation(MODEL, MOVE, 1.0)
RIDGE = Ridge(DATA, [1.0, -1.0] * 3)
RELAXED = RIDGE.replace(targets=[1.0, 0.5] * 3)
FOUND = bilad.attack(BL1, "corners", max_solves=3, bound="none", closing="none")
SOLVED, PATH, FIT = bilad.cluster(MODEL), bilad.cluster_path(MODEL, [0.1]), bilad.fit(RIDGE)
FAR, NEAR = chosen_pairs([[0, 6]]), between_clusters([0], [1, 2])

# Values that are wrong for all arguments of a kind.
THING = (None, 3, "model", object())
NUMBER = (
    "1", None, NAN, INF, -INF, [1.0, 2.0], 1j, True, 10**400, np.ma.masked,
    np.datetime64("2020-01-01"), np.timedelta64(1, "s"), scipy.sparse.csr_array([[1.0]]),
)  # fmt: skip
NONNEGATIVE = (*NUMBER, -1.0)
POSITIVE = (*NONNEGATIVE, 0)
LIMIT = ("1", 1.5, NAN, -1, True)  # not a whole number >= 0, and None may be no limit
COUNT = (*LIMIT, None, 10**30)
SEED = (*LIMIT, None)
SIZE = (*COUNT, 0)
SECONDS = ("1", NAN, -1.0, [1.0, 2.0], True)
SPAN = (*SECONDS, 0)  # seconds that have to be positive
TEXT = ("magic", "", None, 3, ["auto"])
FLAG = ("yes", 1, None)
POINTS = (
    None, "points", 3.0, DATA[0], DATA[None], [[0.0, 1.0], [2.0]], [["a", "b"]] * 6, DATA * 1j,
    np.where(DATA > 5.2, NAN, DATA), np.where(DATA > 5.2, INF, DATA), DATA > 1, DATA[:0],
    np.ma.masked_greater(DATA, 5.2), pd.DataFrame({"a": [0.0, 1.0], "b": ["x", "y"]}),
)  # fmt: skip
SHAPE = (None, 6, (6,), (0, 2), (6, 0), (6, 1.5), "62")
CHOICE = ([-1], [0.5], [0, 0], [], [[0]], [[0], [0, 1]], "0", [True])
INDICES = (*CHOICE, [15])
SPLIT = (None, [0, 0, 0, 1], "001122", [0.5] * 6, [[0] * 6], [[0], [0, 1]], [0])
NORM = (3, "two", "2", None, NAN, [2])
EPS = (None, "ab", [0.0], [NAN, 0.0], [[0.0, 0.0]], [[1.0], [1.0, 2.0]])
TARGETS = (None, DATA, LABELS[:5], [NAN] * 6)
GAMMAS = ("a", 3.0, [], [NAN], [-1.0], [1.0, 1.0], [[1.0]], [INF])
OTHERS = (MODEL, *THING)
INSTEAD = ("Booleans", "text", "beyond double", "shape ()")  # of the value itself


@dataclass
class Row:
    """A right call of a public function, and the wrong values of its arguments."""

    name: str
    call: Any
    right: dict[str, Any]
    wrong: dict[str, Any]
    free: list[str]  # arguments that have no wrong values
    error: type[Exception]


def row(name, call, right, /, free="", error=ArgumentError, **wrong):
    return Row(name, call, right, wrong, free.split(), error)


# fmt: off
TABLE = [
    row("FusionGraph", FusionGraph, {"n": 3, "edges": [[0, 1], [1, 2]], "weights": [1.0, 2.0]},
        n=(*COUNT, 1), weights=([1.0], [1.0, -1.0], [1.0, NAN], [1.0, INF], "ab", None),
        edges=(None, "01", [[0, 1, 2]], [[0, 3], [1, 2]],
               [[1, 1], [0, 1]], [[2, 1], [0, 1]], [[0, 1], [0, 1]],
               [[0.5, 1], [1, 2]], [[-1, 0], [0, 1]])),
    row("FusionGraph", FusionGraph.complete, {"n": 3}, n=(*COUNT, 1), weight=NONNEGATIVE),
    row("FusionGraph", FusionGraph.knn, {"A": DATA, "k": 2}, A=POINTS, k=(*SIZE, 6),
        phi=NONNEGATIVE),
    row("FusionGraph", GRAPH.with_weights, {"weights": np.ones(15)},
        weights=(None, [1.0], -np.ones(15), "a")),
    row("FusionGraph", GRAPH.without, {"points": [0]},
        points=(*(one for one in INDICES if one != []), range(5), None)),
    row("ConvexClustering", ConvexClustering, {"data": DATA, "graph": GRAPH, "gamma": 0.1},
        data=(*POINTS, DATA[:1], DATA[:, :0], [[10**400] * 2] * 6), p=NORM, gamma=NONNEGATIVE,
        graph=(*THING, [[0, 1]], FusionGraph.complete(5))),
    row("ConvexClustering", MODEL.with_gamma, {"gamma": 1.0}, gamma=NONNEGATIVE),
    row("ConvexClustering", MODEL.replace, {"data": DATA}, data=(DATA[:, :1], DATA[:5]),
        free="parts"),
    row("Ridge", Ridge, {"data": DATA, "targets": DATA[:, 0]}, data=POINTS,
        targets=(*TARGETS, ["a"] * 6), penalty=POSITIVE, intercept=FLAG),
    row("LogisticRegression", LogisticRegression, {"data": DATA, "targets": LABELS}, data=POINTS,
        targets=(*TARGETS, [0] * 6, [0, 1, 2] * 2), penalty=POSITIVE, intercept=FLAG),
    row("SupportVectorMachine", bilad.SupportVectorMachine, {"data": DATA, "targets": LABELS},
        data=POINTS, targets=(*TARGETS, [0] * 6), penalty=POSITIVE, intercept=FLAG, loss=TEXT),
    row("BlackBox", BlackBox, {"data": DATA, "estimator": DummyClassifier(), "targets": LABELS},
        data=POINTS, estimator=(None, 3, "svm", DummyClassifier), max_queries=LIMIT,
        targets=TARGETS[1:]),
    row("LearningModel", NonnegativeMean, {"data": DATA}, data=POINTS),
    row("Perturbation", Perturbation,
        {"operators": {"data": np.eye(12)}, "shapes": {"data": (6, 2)}},
        operators=(None, {}, 3, {"weights": np.eye(12)}, {"data": np.eye(11)}, {"data": "a"}),
        shapes=(None, 3, {"data": 3}, {"data": "ab"}, {"data": (6, -2)}, {"data": (6, 2.0)}),
        lower=(1.0, NAN, "a", [0.0], None), upper=(-1.0, NAN, "a", [0.0], None), free="structure"),
    row("Perturbation", Perturbation.linear, {"shape": (6, 2), "operator": np.eye(12)},
        shape=SHAPE, graph=(3, "knn"), edge_operator=(np.eye(15),),
        operator=(None, 3, "a", np.ones(12), np.eye(11), np.eye(12) * NAN, np.zeros((12, 0))),
        lower=(1.0, NAN, "a", [0.0], None), upper=(-1.0, NAN, "a", [0.0], None)),
    row("Perturbation", Perturbation.shift, {"direction": DATA},
        direction=(*POINTS[:-1], 0 * DATA)),
    row("Perturbation", Perturbation.additive, {"shape": (6, 2)}, shape=SHAPE, points=INDICES,
        features=INDICES),
    row("Perturbation", Perturbation.multiplicative, {"data": DATA}, data=(*POINTS, 0 * DATA),
        points=INDICES, features=INDICES),
    row("Perturbation", Perturbation.targets, {"shape": 6}, shape=(None, "6", -1, 0, 1.5, (6, 2)),
        points=INDICES),
    row("Perturbation", Perturbation.flips, {}, points=CHOICE),
    row("Perturbation", Perturbation.edges, {"graph": GRAPH},
        graph=(*THING, DATA, FusionGraph(2, [], [])), edges=INDICES),
    row("Perturbation", MOVE.vector, {"eps": [0.0, 0.0]}, eps=EPS),
    row("Perturbation", MOVE.changes, {"eps": [0.0, 0.0]}, eps=EPS),
    row("Perturbation", MOVE.apply, {"model": MODEL, "eps": [0.0, 0.0]}, model=THING, eps=EPS),
    row("Perturbation", lambda perturbation: perturbation.bound_to(MODEL), {"perturbation": MOVE},
        perturbation=(Perturbation.additive((5, 2)), Perturbation.edges(CHAIN),
                      Perturbation.flips())),
    row("Perturbation", lambda points: Perturbation.flips(points).bound_to(RIDGE), {"points": [0]},
        points=([6],)),
    row("Perturbation", CUT.vector, {"eps": [0.0] * 15},
        eps=([1.1] * 15, [0.0] * 14 + [-1e-9], [0.0])),
    row("MaxDeviation", MaxDeviation, {"model": MODEL, "perturbation": MOVE, "budget": 1.0},
        model=(*THING, DATA), budget=POSITIVE, norm=(*NORM, 0), deviation=(*TEXT, FAR),
        perturbation=(*THING, Perturbation.additive((5, 2)), Perturbation.edges(CHAIN),
                      Perturbation.targets(6), Perturbation.flips())),
    row("MaxDeviation", MaxDeviation,
        {"model": MODEL, "perturbation": CUT, "budget": 1.0, "norm": "count"}, budget=(0, 1.5),
        perturbation=(MOVE, HALVES), free="model norm deviation"),
    row("MaxDeviation", MaxDeviation, {"model": RELAXED, "perturbation": MOVE, "budget": 1.0},
        perturbation=(Perturbation.flips(),), free="model budget norm deviation"),
    row("MaxDeviation", BL1.project, {"eps": [0.0, 0.0]}, eps=EPS),
    row("MaxDeviation", BL1.largest_step, {"direction": [1.0, 0.0]}, direction=EPS),
    row("MaxDeviation", BL1.along, {"direction": [1.0, 0.0]}, direction=EPS),
    row("MinPerturbation", MinPerturbation, {"model": MODEL, "perturbation": MOVE, "target": 1.0},
        model=(*THING, DATA), target=(*POSITIVE, 31), norm=(*NORM, "fro"), deviation=(*TEXT, FAR),
        perturbation=(*THING, Perturbation.additive((5, 2))), limit=("1", NAN, -1.0, 0, [1.0])),
    row("MinPerturbation", MinPerturbation,
        {"model": MODEL, "perturbation": CUT, "target": 1.0, "norm": "count", "deviation": NEAR},
        target=(3,), limit=(0.5,), free="model perturbation norm deviation"),
    row("deviation", deviation, {"labels": LABELS, "perturbed_labels": LABELS}, labels=SPLIT[2:],
        perturbed_labels=(*SPLIT, LABELS[:5]), name=(*TEXT, "distance")),
    row("chosen_pairs", chosen_pairs, {"pairs": [(0, 1)]},
        pairs=(None, [], "01", [0, 1], [(0, 0)], [(-1, 0)], [(0, 0.5)], [(0, 1), (1, 0)])),
    row("between_clusters", between_clusters, {"points": [0], "others": [1]}, points=CHOICE,
        others=(*CHOICE, [0])),
    row("changed_predictions", bilad.changed_predictions, {}, X=POINTS[1:-1]),
    row("validation_loss", bilad.validation_loss, {"X": DATA, "y": LABELS}, X=POINTS[:-1],
        y=(None,)),
    row("DeviationFunction", bilad.DeviationFunction,
        {"name": "own", "value": max, "largest": float}, name=(None, 3, ""), value=(3, None),
        largest=(3, None), compares=TEXT, least_n=SIZE,
        free="pairs smooth tolerance decided agree bind least_change held_out"),
    row("recovery_interval", bilad.recovery_interval, {"model": MODEL, "labels": LABELS},
        model=(*THING, DATA), labels=SPLIT),
    row("is_recovered", bilad.is_recovered, {"model": MODEL, "labels": LABELS},
        model=(*THING, DATA), labels=SPLIT),
    row("exact_recovery_interval", bilad.exact_recovery_interval,
        {"model": MODEL, "labels": LABELS}, model=THING, labels=SPLIT, width=POSITIVE),
    row("attack_is_possible", bilad.attack_is_possible,
        {"model": MODEL, "labels": LABELS, "perturbation": MOVE, "eps": [0.0, 0.0]}, model=THING,
        labels=SPLIT, perturbation=THING, eps=EPS),
    row("load_dataset", bilad.load_dataset, {"name": "iris"},
        name=(None, 3, "irsi", "missing.csv", b"iris", ["iris"], "a.csv\0", "x" * 5000 + ".csv"),
        header=(1, "no", True), label=(3, "class"), free="folder"),
    row("load_dataset", bilad.load_dataset, {"name": "seeds"}, folder=(3, b"."),
        free="name header label"),
    row("supports", bilad.supports, {"model": MODEL, "name": "solve"}, name=TEXT, free="model"),
    row("Capability", bilad.Capability, {"name": "own"}, name=(None, 3, "", "solve"),
        free="default needs"),
    row("cluster", bilad.cluster, {"model": MODEL}, model=(*THING, DATA, RIDGE), method=TEXT,
        tol=POSITIVE, max_iterations=SIZE,
        start=(3, DATA, bilad.cluster(LINE), bilad.cluster(ConvexClustering(DATA, CHAIN, 0.1))),
        time_limit=SPAN, refine=FLAG, labels_only=FLAG),
    row("cluster_path", bilad.cluster_path, {"model": MODEL}, model=(*THING, DATA), gammas=GAMMAS,
        method=TEXT, tol=POSITIVE, max_iterations=SIZE, time_limit=SECONDS, refine=FLAG,
        progress=FLAG, on_progress=(3, "a")),
    row("gamma_grid", bilad.gamma_grid, {"model": MODEL}, model=(*THING, DATA), count=(*SIZE, 1)),
    row("compare_lower", bilad.compare_lower, {"model": MODEL}, model=(*THING, DATA), tol=POSITIVE,
        time_limit=SPAN, refine=FLAG,
        methods=([], 3, None, "magic", "auto", ["ssnal", "magic"], ["ssnal", "ssnal"])),
    row("ConvexClusterer", lambda **given: bilad.ConvexClusterer(**given).fit(DATA), {},
        gamma=NONNEGATIVE, p=NORM, weights=TEXT, n_neighbors=SIZE, phi=NONNEGATIVE, method=TEXT,
        tol=POSITIVE, max_iterations=SIZE, time_limit=SPAN, refine=FLAG),
    row("fit", bilad.fit, {"model": RIDGE}, model=OTHERS, tol=POSITIVE, time_limit=SPAN),
    row("attack", bilad.attack, {"problem": BL1}, problem=OTHERS, method=TEXT, seed=SEED,
        time_limit=SECONDS, max_solves=LIMIT, lower=TEXT, tol=POSITIVE, bound=TEXT, closing=TEXT,
        progress=FLAG, on_progress=(None, 3), free="options"),
    row("certify", bilad.certify, {"problem": BL1}, problem=OTHERS, max_solves=COUNT, seed=SEED,
        time_limit=SECONDS),
    row("drop_points", bilad.drop_points, {"model": MODEL, "budget": 1}, model=THING,
        budget=(*COUNT, 5), deviation=(*TEXT, FAR, NEAR), points=INDICES, max_solves=COUNT,
        lower=TEXT, tol=POSITIVE, time_limit=SECONDS),
    row("drop_edges", bilad.drop_edges, {"model": MODEL, "budget": 1}, model=(*THING, RIDGE),
        budget=COUNT, deviation=TEXT, edges=INDICES, max_solves=COUNT, lower=TEXT, tol=POSITIVE,
        time_limit=SECONDS),
    row("find_violation", bilad.find_violation, {"problem": BL1}, problem=OTHERS,
        deviation=("magic", 3), points=SIZE, seed=SEED, lower=TEXT, tol=POSITIVE,
        rays=(0, 1.5, "a", [[1.0]], [[NAN, 1.0]], [[0.0, 0.0]]), max_solves=LIMIT),
    row("stationarity", bilad.stationarity, {"found": FOUND}, found=(*THING, BL1), width=POSITIVE,
        time_limit=SECONDS),
    row("LowerLevel", bilad.LowerLevel, {"problem": BL1}, problem=THING, tol=POSITIVE,
        max_solves=LIMIT, time_limit=SECONDS, free="method"),
    row("solve_bilevel", bilad.solve_bilevel, {"model": bard()},
        model=(*OTHERS, pyo.ConcreteModel()), method=TEXT, starts=SIZE, seed=SEED,
        relaxation=TEXT, schedule=(None, 3, "a", [], [0.0], [NAN], [-1.0], [1.0, "a"]),
        time_limit=SPAN, node_limit=(*LIMIT, 0), ipopt_options=(3, "a")),
    row("compare_bilevel", bilad.compare_bilevel, {"model": bard()}, model=OTHERS,
        methods=([], None, 3, "magic", ["magic"], ["kkt", "kkt"]), free="options"),
    row("mpcc_stationarity", bilad.mpcc_stationarity, {"model": bard()}, model=OTHERS,
        tol=POSITIVE, node_limit=SIZE),
    row("Follower", lambda **given: bilad.KKT(with_follower(**given)), {},
        variables=(3, "y", [1.0]), leader=(3, "x", [1.0])),
    row("KKT", lambda model: bilad.KKT(model), {"model": bard()}, model=OTHERS),
    row("KKT", lambda **given: bilad.KKT(BL1, SOLVED, **given), {}, relaxation=TEXT, kernel=TEXT,
        contraction=TEXT),
    row("DUALITY", lambda model: bilad.DUALITY(model), {"model": bard()}, model=OTHERS),
    row("DUALITY", lambda **given: bilad.DUALITY(BL1, SOLVED, **given), {},
        aggregate=("yes", 2, None),
        kernel=TEXT),
    row("VALUE_FUNCTION", lambda model: bilad.VALUE_FUNCTION(model), {"model": bard()},
        model=OTHERS),
    row("SingleLevel", bilad.SingleLevel, {"problem": None, "baseline": None, "replace": None},
        problem=OTHERS, free="baseline replace kernel block_of states reach"),
    row("ConicProgram", bilad.ConicProgram, {"model": MODEL},
        model=(*THING, ConvexClustering(DATA, FusionGraph(6, [], []), 1.0))),
    row("register_method", bilad.register_method, {"name": "direct", "prepare": max},
        name=(None, 3, "", "direct"), prepare=(3, None), free="about"),
    row("register_relaxation", bilad.register_relaxation,
        {"name": "scholtes", "rows": lambda pair, t: [pair.product - t]},
        name=(None, 3, "", "scholtes"), rows=(3, None, lambda pair, t: []),
        free="needs_sides penalised equations"),
    row("run_experiment", bilad.run_experiment, {"specification": {}}, specification=(None, 3),
        jobs=SIZE, resume=FLAG, free="store scheduler on_row"),
    row("check_counterexample", bilad.check_counterexample, {"path": "missing"}, path=(None, 3),
        error=CounterexampleError),
    row("Attack", FOUND.plot, {}, ax=(3,), features=([0, 9], [0.5, 1], 3)),
    row("Clustering", SOLVED.plot, {}, ax=(3,), features=([0, 9], [0.5, 1], 3)),
    row("ClusterPath", PATH.plot, {}, ax=(3,), features=([0, 9], [0.5, 1], 3)),
    row("ClusterPath", PATH.suggest, {}, n_clusters=(*LIMIT, 0), count=SIZE),
    row("Fit", FIT.predict, {"X": DATA}, X=(*POINTS[:-1], DATA[:, :1])),
]
# fmt: on
# What calls return, without a method that takes arguments, and what is checked through subclasses.
RETURNED = [
    "Answer",
    "BilevelComparison",
    "BilevelSolution",
    "Certificate",
    "Dataset",
    "DroppedEdges",
    "DroppedPoints",
    "ExactInterval",
    "LowerComparison",
    "MpccStationarity",
    "PropertyCheck",
    "RecoveryInterval",
    "Stationarity",
    "Suggestion",
    "Violation",
]  # fmt: skip
CONTRACTS = [
    "BilevelProblem", "CAPABILITIES", "Complementarity", "Formulation", "LinearClassifier",
    "LinearModel", "Loss", "Solution",
]  # fmt: skip


def with_follower(**given):
    """A model with a second follower that has these arguments."""
    m = bard()
    m.other = bilad.Follower(**given)
    m.other.z = pyo.Var()
    m.other.cost = pyo.Objective(expr=(m.other.z - m.x) ** 2)
    return m


@pytest.fixture(scope="module", autouse=True)
def _unsolved():
    with nothing_is_solved():
        yield


CASES = [
    pytest.param(row, argument, value, id=f"{row.name} {argument} {k}")
    for row in TABLE
    for argument, values in row.wrong.items()
    for k, value in enumerate(values)
]


@pytest.mark.parametrize(("row", "argument", "value"), CASES)
def test_a_wrong_argument_is_named_before_anything_is_solved(row, argument, value):
    with pytest.raises(row.error) as caught:
        row.call(**{**row.right, argument: value})
    error = caught.value
    if row.error is ArgumentError:
        assert error.argument.split()[0] == argument
        assert str(error) == f"{error.argument}: got {error.given}, expected {error.expected}"
        assert error.expected
        if isinstance(value, str | int | float):
            shown = (str(value).removesuffix(".0")[:5], type(value).__name__, *INSTEAD)
            assert any(one.casefold() in error.given.casefold() for one in shown)


SOLVING = [
    "cluster", "cluster_path", "gamma_grid", "compare_lower", "ConvexClusterer", "fit",
    "attack", "certify", "drop_points", "drop_edges", "find_violation", "stationarity",
    "solve_bilevel", "compare_bilevel", "is_recovered", "exact_recovery_interval",
]  # fmt: skip


@pytest.mark.parametrize("name", SOLVING)
def test_right_arguments_are_solved(name):
    """So that the other arguments of a row are right, and the guard sees what is solved."""
    row = next(row for row in TABLE if row.name == name)
    with pytest.raises(SolvedError):
        row.call(**row.right)


OPTIONS = [
    (method, option) for method, own in UPPER_METHODS.usable().items() for option in own.options
]


@pytest.mark.parametrize(("method", "option"), OPTIONS)
def test_a_wrong_option_of_a_method_is_named(method, option):
    """Each method applies to one of the problems."""
    for problem in (BL1, MaxDeviation(LINE, SHIFT, 1.0), MaxDeviation(MODEL, CUT, 1.0, "count")):
        if refusal(UPPER_METHODS[method], problem) is None:
            break
    else:
        pytest.skip(f"a package of {method} is not installed")
    with pytest.raises(ArgumentError) as caught:
        bilad.attack(problem, method, **{option: object()})
    assert caught.value.argument.split()[0] == option


def test_every_public_name_and_argument_has_a_row():
    public = {name: getattr(bilad, name) for name in bilad.__all__}
    needed = {
        name
        for name, thing in public.items()
        if not isinstance(thing, ModuleType)
        and not (inspect.isclass(thing) and issubclass(thing, BaseException))
    }
    rows = {row.name for row in TABLE}
    assert needed == rows | {*RETURNED, *CONTRACTS}
    for row in TABLE:
        arguments = {
            one.name
            for one in inspect.signature(row.call).parameters.values()
            if one.name != "given"
        }
        assert arguments <= {*row.wrong, *row.free}, row.name
