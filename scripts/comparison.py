"""The answers of several methods to one problem, as tables.

The deviation and the norm are recomputed from an accurate lower-level solution at each eps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bilad.models import BilevelProblem, deviation
from bilad.models.learning.learning_model import solve
from bilad.scripts.display import Cells
from bilad.scripts.experiments.page import Table
from bilad.scripts.experiments.run import FAILED, KILLED, REFUSED
from bilad.scripts.experiments.table import filled
from bilad.solvers.termination import CONVERGED

ACCURATE = 1e-10  # tolerance of the lower level
NAN = float("nan")
OPTIONAL = ("closed", "bound", "clusters", "eps", "N_chg")  # columns without room, the last first
CAPTION = (
    "The deviation and the norm are recomputed from an accurate lower-level solution at the eps "
    "that the method found itself. N_chg: points whose label changes (labels matched). closed: "
    "deviation (BL1) or norm (BL2) after closing. bound: proved bound of the optimum. undecided: "
    "solves whose labels are not certified; none of them counts as an attack. ray: a uniform grid "
    "with bisection at each jump."
)


def answers(table: pd.DataFrame, problems: Mapping[str, BilevelProblem]) -> pd.DataFrame:
    """Return a row for each run that was not refused.

    Parameters
    ----------
    table : DataFrame
        As `run_experiment` returns it.
    problems : mapping of str to BilevelProblem
        (BL1) and (BL2), by "BL1" and "BL2".
    """
    before = {name: solve(one.model, tol=ACCURATE).outcome for name, one in problems.items()}
    kept = table[table.status != REFUSED].itertuples()
    return pd.DataFrame([_cells(run, problems[run.question], before[run.question]) for run in kept])


def _cells(run: Any, problem: BilevelProblem, before: Any) -> Cells:
    is_most, attained = problem.sense == "max", 0 < run.own < np.inf
    known = problem.deviation.name if is_most else "norm"
    values: Cells = {problem.deviation.name: NAN, "norm": NAN}
    if attained:
        values |= _recomputed(problem, before, run.eps) if run.eps else {known: run.own}
    return {
        "problem": run.question,
        "method": run.label,
        "eps": run.eps[0] if attained and len(run.eps) == 1 else NAN,
        **values,
        "closed": run.closed if 0 < run.closed < np.inf else NAN,
        "bound": run.bound,
        "solves": run.solves,
        "undecided": run.undecided,
        "seconds": round(run.seconds, 3),
        "status": run.status,
        "ended": run.termination,
    }


def _recomputed(problem: BilevelProblem, before: Any, eps: Sequence[float]) -> Cells:
    """Solve the lower level again at eps, and compare the outcome with that at 0."""
    after = solve(problem.perturbation.apply(problem.model, eps), tol=ACCURATE).outcome
    found: Cells = {
        problem.deviation.name: float(problem.deviation.value(before, after)),
        "norm": problem.size(np.array(eps)),
    }
    if problem.deviation.compares == "labels":
        found["N_chg"] = int(deviation(before, after, "changed-matched"))
        found["clusters"] = len(np.unique(after))
    return found


def shown_answers(name: str, found: pd.DataFrame, question: str, problem: BilevelProblem) -> Table:
    """Return the columns that a terminal and a paper have room for, of one problem."""
    own = found[found.problem == question]
    is_final = (own.ended == CONVERGED) | own.status.isin([FAILED, KILLED])
    status = own.status.where(is_final, own.status + ", " + own.ended)
    shown = filled(own.assign(status=status).drop(columns=["problem", "undecided", "ended"]))
    return Table(f"{name}_{question}", problem_title(problem), shown, CAPTION)


def problem_title(problem: BilevelProblem) -> str:
    """Return a problem in words."""
    name, norm = problem.deviation.name, problem.norm_name
    size = f"||eps|| <= {problem.radius:.6g}" if np.isfinite(problem.radius) else "||eps|| < inf"
    norm = norm if isinstance(norm, str) else f"{norm:g}"
    if problem.sense == "max":
        return f"(BL1): largest {name} for {size}, norm {norm}"
    return f"(BL2): least ||eps|| for {name} >= {problem.target:.6g}, {size}, norm {norm}"
