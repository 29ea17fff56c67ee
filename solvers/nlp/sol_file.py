"""The .sol file in which an AMPL solver writes its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

REAL_SUFFIX, KIND, VARIABLE = 4, 3, 0


@dataclass(frozen=True, eq=False)
class SolFile:
    """Message, duals (m,), point (n,), and the real suffixes of variables, each (n,).

    `duals` and `x` are empty when the solver wrote none.
    """

    message: str
    duals: FloatArray
    x: FloatArray
    suffixes: dict[str, FloatArray] = field(default_factory=dict)


def read_sol(text: str, n: int) -> SolFile:
    """Parse the text of a .sol file of a problem with n variables.

    Raises
    ------
    ValueError
        The text is not a whole .sol file.
    """
    lines = iter(text.splitlines())
    try:
        message = " ".join(_until_options(lines)).strip()
        options = int(next(lines))
        # Four counts follow: constraints, duals written, variables, values written.
        counts = [int(next(lines)) for _ in range(options + 4)][options:]
        duals = np.array([float(next(lines)) for _ in range(counts[1])])
        x = np.array([float(next(lines)) for _ in range(counts[3])])
        return SolFile(message, duals, x, _suffixes(lines, n))
    except StopIteration as error:
        raise ValueError("the .sol file ends early") from error
    except (ValueError, IndexError) as error:
        raise ValueError(f"the .sol file is not one of AMPL's: {str(error)[:100]}") from error


def _until_options(lines: Iterator[str]) -> list[str]:
    words = []
    while (line := next(lines).strip()) != "Options":
        if line:
            words.append(line)
    return words


def _suffixes(lines: Iterator[str], n: int) -> dict[str, FloatArray]:
    found = {}
    for line in lines:
        if not line.startswith("suffix "):
            continue
        kind, count, _, _, table_lines = map(int, line.split()[1:6])
        name = next(lines).strip()
        for _ in range(table_lines):
            next(lines)
        values = np.zeros(n)
        entries = [next(lines).split() for _ in range(count)]
        if kind & REAL_SUFFIX and kind & KIND == VARIABLE:
            for index, value in entries:
                values[_column(index, n)] = float(value)
            found[name] = values
    return found


def _column(text: str, n: int) -> int:
    index = int(text)
    if not 0 <= index < n:
        raise IndexError(f"there is no variable {index}")
    return index
