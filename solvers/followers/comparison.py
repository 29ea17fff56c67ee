"""One bilevel model solved by several methods, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bilad.formulations.bilevel_model import BilevelProgram
from bilad.models.representation import Represented
from bilad.models.validation import names_among
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.followers.result import BilevelSolution
from bilad.solvers.followers.solve import METHODS, solve_bilevel
from bilad.solvers.termination import INTERRUPTED

if TYPE_CHECKING:
    from pandas import DataFrame

REFUSED = "does not apply"


@dataclass(frozen=True, repr=False)
class BilevelComparison(Represented, Mapping[str, BilevelSolution]):
    """The solutions of one model by several methods; printed as a table.

    Attributes
    ----------
    solutions : dict of str to BilevelSolution
    refused : dict of str to str
        The reason why a method does not apply.
    """

    solutions: Mapping[str, BilevelSolution]
    refused: Mapping[str, str]

    def summary(self) -> dict[str, Any]:
        """Return the status of each method."""
        refused = dict.fromkeys(self.refused, REFUSED)
        return {**{name: found.status for name, found in self.items()}, **refused}

    def to_frame(self) -> DataFrame:
        """Return one row a method: what its solution shows, or "does not apply" as its status."""
        import pandas  # slow to import

        rows = {name: found.summary() for name, found in self.items()}
        rows |= {name: {"method": name, "status": REFUSED} for name in self.refused}
        return pandas.DataFrame.from_dict(rows, orient="index").drop(
            columns="method", errors="ignore"
        )

    def _repr_html_(self) -> str:
        """Return the data frame as a table, which notebooks show."""
        html: str = self.to_frame().to_html(na_rep="")
        return html

    def __getitem__(self, method: str) -> BilevelSolution:
        return self.solutions[method]

    def __iter__(self) -> Iterator[str]:
        return iter(self.solutions)

    def __len__(self) -> int:
        return len(self.solutions)

    def __str__(self) -> str:
        """Return the table."""
        heads = (
            "method",
            "status",
            "objective",
            "claimed",
            "bound",
            "gap of follower",
            "violation",
        )
        rows: list[tuple[str, ...]] = [heads]
        for name, found in self.solutions.items():
            numbers = [found.objective, found.claimed, found.bound]
            small = [found.lower_gap, found.violation]
            cells = [_shown(number, ".6g") for number in numbers]
            cells += [_shown(number, ".0e") for number in small]
            rows.append((name, found.status, *cells))
        rows += [(name, REFUSED, "", "", "", "", "") for name in self.refused]
        widths = [max(len(row[k]) for row in rows) for k in range(len(heads))]
        lines = (
            "  ".join(
                cell.ljust(width) if k < 2 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)


def _shown(number: float | None, form: str) -> str:
    if number is None:
        return "-"
    return "0" if abs(number) < 1e-9 else format(number, form)


def compare_bilevel(
    model: Any, methods: Sequence[str] = METHODS, **options: Any
) -> BilevelComparison:
    """Solve a bilevel model by several methods, each from the same starts, until an interrupt.

    The best verified point is loaded into the model.

    Parameters
    ----------
    model : Pyomo model
    methods : sequence of str
        Methods of `solve_bilevel`; by default all four reformulations.
    **options
        Options of `solve_bilevel`.

    Returns
    -------
    BilevelComparison
        A mapping from methods to `BilevelSolution`; `print` shows it as a table.

    Raises
    ------
    ArgumentError, EngineError
        As `solve_bilevel` does.
    """
    names = names_among(methods, "methods", ("auto", *METHODS))
    variables = BilevelProgram(model).variables
    before = [v.value for v in variables]
    solutions, refused = {}, {}
    for name in names:
        for v, value in zip(variables, before, strict=True):
            v.set_value(value, skip_validation=True)
        try:
            solutions[name] = solve_bilevel(model, name, **options)
        except UnsupportedError as error:
            refused[name] = str(error)
            continue
        if solutions[name].termination == INTERRUPTED:
            break
    best = _best(solutions.values(), BilevelProgram(model).sign)
    if best is not None:
        for v, value in best.values.items():
            v.set_value(value, skip_validation=True)
    return BilevelComparison(solutions, refused)


def _best(solutions: Iterable[BilevelSolution], sign: int) -> BilevelSolution | None:
    found = [
        (sign * one.objective, k, one)
        for k, one in enumerate(solutions)
        if one.objective is not None
    ]
    solved = [entry for entry in found if entry[2].solved]
    return min(solved or found, key=lambda entry: entry[:2], default=(0, 0, None))[2]
