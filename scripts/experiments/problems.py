"""The problems of a block: a product of parts, what a Python file makes, or objects."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bilad.formulations.bilevel_model import BilevelProgram
from bilad.models import (
    ArgumentError,
    BilevelProblem,
    LearningModel,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.norms import NORMS
from bilad.models.problem import COUNT
from bilad.models.validation import one_of
from bilad.scripts.experiments.definitions import KINDS, Definitions
from bilad.scripts.experiments.faults import Faults
from bilad.scripts.experiments.faults import Path as Place
from bilad.scripts.experiments.fingerprint import is_bilevel_model
from bilad.scripts.experiments.python_file import PythonFile, PythonProblem, with_optimum

# The keys of a block, beside those that say how its problems are solved.
PRODUCT = (*KINDS, "deviations", "norms", "budgets", "targets", "limit")
FROM_PYTHON = ("python", "function")
NAN = float("nan")


@dataclass(frozen=True)
class Problem:
    """A problem for one seed.

    Attributes
    ----------
    names : mapping
        What a row says about the problem.
    sent : object
        The problem as it is sent to where it is solved.
    built : BilevelProblem or Pyomo model
    optimum : float
        NaN if it is not known.
    share : float or None
        As in `Run`.
    """

    names: Mapping[str, Any]
    sent: Any
    built: Any
    optimum: float = NAN
    share: float | None = None


def problems_of(
    place: Place, block: Mapping[str, Any], seed: int, defined: Definitions, faults: Faults
) -> Iterator[Problem]:
    """Yield the problems of a block without faults."""
    if "objects" in block:
        yield from _objects(place, block["objects"], faults)
    elif "python" in block:
        yield from _of_python(place, block, defined, faults)
    else:
        yield from _product(place, block, seed, defined, faults)


def _objects(place: Place, given: Mapping[str, Any], faults: Faults) -> Iterator[Problem]:
    for name, one in given.items():
        inside = (*place, name)
        problem, optimum = with_optimum(one)
        try:
            pickle.dumps(problem)
        except Exception as error:  # the state of a problem can raise anything
            expected = f"a problem that can be pickled ({error}); a Python file can make it instead"
            faults.expect(inside, type(problem).__name__, expected)
            continue
        yield from _named(inside, str(name), problem, problem, optimum, faults)


def _of_python(
    place: Place, block: Mapping[str, Any], defined: Definitions, faults: Faults
) -> Iterator[Problem]:
    with faults.at(*place, "python"):
        file = PythonFile.read(str(block["python"]), defined.folder)
        function = str(block.get("function", "problems"))
        for name, one in file.problems(function).items():
            built, optimum = with_optimum(one)
            sent = PythonProblem(file, function, name)
            yield from _named((*place, "python"), str(name), sent, built, optimum, faults)


def _named(
    place: Place, name: str, sent: Any, built: Any, optimum: float, faults: Faults
) -> Iterator[Problem]:
    """Yield a problem that is known by its name only."""
    names: dict[str, Any] = {
        "problem": name, "data": "", "model": "", "perturbation": "", "deviation": "",
        "norm": "", "question": "bilevel", "level": NAN, "sense": "min",
    }  # fmt: skip
    if isinstance(built, BilevelProblem):
        is_most = built.sense == "max"
        names |= {
            "deviation": built.deviation.name,
            "norm": shown_norm(built),
            "question": "BL1" if is_most else "BL2",
            "level": built.radius if is_most else built.target,
            "sense": built.sense,
        }
        yield Problem(names, sent, built, optimum)
    elif is_bilevel_model(built):
        with faults.at(*place):
            names["sense"] = "min" if BilevelProgram(built).sign > 0 else "max"
            yield Problem(names, sent, built, optimum)
    else:
        faults.expect(place, type(built).__name__, "a BilevelProblem or a model of Pyomo")


def _product(
    place: Place, block: Mapping[str, Any], seed: int, defined: Definitions, faults: Faults
) -> Iterator[Problem]:
    if "budgets" not in block and "targets" not in block:
        faults.add(place, "'budgets' or 'targets' is missing")
    chosen = [_chosen(place, block, kind, defined, faults) for kind in KINDS]
    deviations = list(enumerate(faults.values(place, block, "deviations", ["delta"])))
    norms = list(enumerate(faults.values(place, block, "norms", [2])))
    for names in itertools.product(*chosen):
        data, model, change = names
        parts = defined.build(data, model, change, seed)
        for (i, deviation), (j, norm) in itertools.product(deviations, norms):
            if parts is None:
                continue
            accepted = 0
            with faults.at(*place, "deviations", i):
                MaxDeviation(*parts, 1.0, deviation=deviation)
                accepted += 1
            with faults.at(*place, "norms", j):
                one_of(norm, "norm", (*NORMS, COUNT))
                accepted += 1
            if accepted == 2:
                yield from _questions(place, block, names, parts, (norm, deviation), faults)


def _chosen(
    place: Place, block: Mapping[str, Any], kind: str, defined: Definitions, faults: Faults
) -> list[str]:
    """Return the names of the definitions of a kind that a block lists."""
    if kind not in block:
        faults.add(place, f"{kind!r} is missing")
    found = []
    for k, name in enumerate(faults.values(place, block, kind)):
        with faults.at(*place, kind, k):
            if one_of(name, kind, defined.tables(kind)) in defined.parts[kind]:
                found.append(name)
    return found


def _questions(
    place: Place,
    block: Mapping[str, Any],
    names: tuple[str, ...],
    parts: tuple[LearningModel, Perturbation],
    how: tuple[Any, str],
    faults: Faults,
) -> Iterator[Problem]:
    """Yield (BL1) for each budget, and (BL2) for each target."""
    (model, free), (norm, deviation), limit = parts, how, block.get("limit")
    for k, budget in enumerate(faults.values(place, block, "budgets")):
        with faults.at(*place, "budgets", k):
            most = MaxDeviation(model, free, budget, norm, deviation)
            yield _problem(names, most, most.budget, f"budget {budget:g}")
    for k, target in enumerate(faults.values(place, block, "targets")):
        with faults.at(*place, "targets", k):
            if not isinstance(target, str):
                least = MinPerturbation(model, free, target, norm, deviation, limit)
                yield _problem(names, least, least.target, f"target {target:g}")
                continue
            share = _per_cent(target)
            if limit is None:
                raise ArgumentError("limit", None, "a number, for a target in per cent")
            within = MaxDeviation(model, free, limit, norm, deviation)
            yield _problem(names, within, share, f"target {target}", share)


def shown_norm(problem: BilevelProblem) -> str:
    """Return the norm of eps as text."""
    name = problem.norm_name
    return name if isinstance(name, str) else f"{name:g}"


def _per_cent(text: str) -> float:
    number, sign, rest = text.strip().partition("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = NAN
    if not sign or rest or not 0 < share <= 1:
        raise ArgumentError("targets", repr(text), 'a number, or per cent such as "50%"')
    return share


def _problem(
    names: tuple[str, ...],
    made: BilevelProblem,
    level: float,
    asked: str,
    share: float | None = None,
) -> Problem:
    """Return a problem with its name."""
    data, model, change = names
    deviation = made.deviation.name
    counted = [] if deviation == "delta" else [deviation]
    is_most = made.sense == "max" and share is None
    about = {
        "problem": ", ".join([data, model, change, f"norm {shown_norm(made)}", *counted, asked]),
        "data": data,
        "model": model,
        "perturbation": change,
        "deviation": deviation,
        "norm": shown_norm(made),
        "question": "BL1" if is_most else "BL2",
        "level": float(level),
        "sense": "max" if is_most else "min",
    }
    return Problem(about, made, made, share=share)
