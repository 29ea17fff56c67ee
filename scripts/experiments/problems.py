"""The problems of a block: a product of parts, what a Python file makes, or objects."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bilad.formulations.bilevel_model import BilevelProgram
from bilad.models import (
    ArgumentError,
    BilevelProblem,
    MaxDeviation,
    MinPerturbation,
)
from bilad.models.norms import NORMS
from bilad.models.problem import COUNT
from bilad.models.validation import one_of
from bilad.scripts.experiments.definitions import KINDS, Built, Definitions, check_pickled
from bilad.scripts.experiments.faults import Faults
from bilad.scripts.experiments.faults import Path as Place
from bilad.scripts.experiments.fingerprint import is_bilevel_model
from bilad.scripts.experiments.parts import HeldOut
from bilad.scripts.experiments.python_file import PythonFile, PythonProblem, with_optimum

# The keys of a block, beside those that say how its problems are solved.
PRODUCT = (*KINDS, "deviations", "norms", "budgets", "targets", "limit")
FROM_PYTHON = ("python", "function")
PARTS = ("data", "model", "perturbation")  # columns of a row
NAN = float("nan")


@dataclass(frozen=True)
class Problem:
    """A problem for one seed."""

    names: Mapping[str, Any]  # what a row says about it
    sent: Any  # the problem as it is sent to where it is solved
    built: Any  # a BilevelProblem or a Pyomo model
    optimum: float = NAN  # if it is known
    share: float | None = None  # as in `Run`
    test: HeldOut | None = None


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
        with faults.at(*inside):
            problem, optimum = with_optimum(one)
            check_pickled(problem, "problems", "; a Python file can make it instead")
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
    names = {"problem": name, "data": "", "model": "", "perturbation": ""}
    if isinstance(built, BilevelProblem):
        yield Problem({**names, **_asked(built)}, sent, built, optimum)
    elif is_bilevel_model(built):
        with faults.at(*place):
            sense = "min" if BilevelProgram(built).sign > 0 else "max"
            names |= {"deviation": "", "norm": "", "question": "bilevel", "sense": sense}
            yield Problem({**names, "level": NAN}, sent, built, optimum)
    else:
        faults.expect(place, type(built).__name__, "a BilevelProblem or a model of Pyomo")


def _product(
    place: Place, block: Mapping[str, Any], seed: int, defined: Definitions, faults: Faults
) -> Iterator[Problem]:
    if "budgets" not in block and "targets" not in block:
        faults.add(place, "'budgets' or 'targets' is missing")
    chosen = [_chosen(place, block, kind, defined, faults) for kind in KINDS]
    norms = faults.each(
        place, block, "norms", lambda norm: one_of(norm, "norm", (*NORMS, COUNT)), [2]
    )
    for data, model, change in itertools.product(*chosen):
        built = defined.build(data, model, change, seed)
        if built is None:
            continue
        deviations = faults.each(place, block, "deviations", built.deviation, ["delta"])
        for deviation, norm in itertools.product(deviations, norms):
            how = norm, deviation
            yield from _questions(place, block, (data, model, change), built, how, faults)


def _chosen(
    place: Place, block: Mapping[str, Any], kind: str, defined: Definitions, faults: Faults
) -> list[str]:
    """Return the names of the definitions of a kind that a block lists."""
    if kind not in block:
        faults.add(place, f"{kind!r} is missing")
    named = faults.each(place, block, kind, lambda name: one_of(name, kind, defined.tables(kind)))
    return [name for name in named if name in defined.parts[kind]]


def _questions(
    place: Place,
    block: Mapping[str, Any],
    names: Sequence[str],
    built: Built,
    how: tuple[Any, Any],
    faults: Faults,
) -> Iterator[Problem]:
    """Yield (BL1) for each budget, and (BL2) for each target."""
    parts, limit = (built.model, built.free), block.get("limit")

    def most(budget: Any) -> tuple[BilevelProblem, float | None, str]:
        return MaxDeviation(*parts, budget, *how), None, f"budget {budget:g}"

    def least(target: Any) -> tuple[BilevelProblem, float | None, str]:
        if not isinstance(target, str):
            return MinPerturbation(*parts, target, *how, limit), None, f"target {target:g}"
        share = _per_cent(target)
        if limit is None:
            raise ArgumentError("limit", None, "a number, for a target in per cent")
        return MaxDeviation(*parts, limit, *how), share, f"target {target}"

    found = faults.each(place, block, "budgets", most) + faults.each(place, block, "targets", least)
    for problem, share, level in found:
        about = _asked(problem, share)
        counted = [] if about["deviation"] == "delta" else [about["deviation"]]
        words = [*names, f"norm {about['norm']}", *counted, level]
        about |= {"problem": ", ".join(words), **dict(zip(PARTS, names, strict=True))}
        yield Problem(about, problem, problem, share=share, test=built.test)


def _asked(problem: BilevelProblem, share: float | None = None) -> dict[str, Any]:
    """Return what a row says about a problem beside its names."""
    is_most, name = problem.sense == "max" and share is None, problem.norm_name
    return {
        "deviation": problem.deviation.name,
        "norm": name if isinstance(name, str) else f"{name:g}",
        "question": "BL1" if is_most else "BL2",
        "level": float(share or (problem.radius if is_most else problem.target)),
        "sense": "max" if is_most else "min",
    }


def _per_cent(text: str) -> float:
    number, sign, rest = text.strip().partition("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = NAN
    if not sign or rest or not 0 < share <= 1:
        raise ArgumentError("targets", repr(text), 'a number, or per cent such as "50%"')
    return share
