"""IPOPT in the CasADi wheel: differentiates a written model, and solves it many times."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import casadi as ca
import numpy as np

from bilad.solvers.nlp.casadi_options import NAME, build, ipopt_version
from bilad.solvers.nlp.casadi_reader import read
from bilad.solvers.nlp.engine import Answer, FloatArray, Query
from bilad.solvers.nlp.errors import EngineError
from bilad.solvers.nlp.interrupts import interrupts_kept
from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.nlp.status import NlpStatus, from_return_status


@dataclass(frozen=True)
class CasadiEngine:
    """IPOPT as CasADi ships it."""

    version: str
    name: str = NAME

    @classmethod
    def find(cls) -> CasadiEngine:
        """Make sure that this CasADi has IPOPT.

        Raises
        ------
        EngineError
            It has not.
        """
        if not ca.has_nlpsol("ipopt"):
            raise EngineError(NAME, f"CasADi {ca.CasadiMeta.version()} has no IPOPT plug-in")
        return cls(ipopt_version())

    def open(self, model: NlModel, options: Mapping[str, Any]) -> CasadiProgram:
        """Read, expand and build once.

        Raises
        ------
        ValueError
            IPOPT refuses an option, or the model has what CasADi cannot take.
        """
        return CasadiProgram(model, options)


class CasadiProgram:
    """One `nlpsol` object, kept for many solves."""

    def __init__(self, model: NlModel, options: Mapping[str, Any]) -> None:
        nlp = read(model)
        self._sense = model.sense
        self._lower, self._upper = nlp.lower, nlp.upper
        with interrupts_kept():
            self._deadline = _Deadline(nlp.x.numel(), nlp.g.numel())
            self._solver = build(nlp.x, nlp.f, nlp.g, options, self._deadline)

    def solve(self, query: Query) -> Answer:
        """Run IPOPT once.

        IPOPT's own limits are set when the object is built, so a callback watches the deadline,
        once an iteration.

        Raises
        ------
        EngineError
            CasADi broke down.
        """
        self._deadline.start(query.time_limit)
        try:
            with interrupts_kept():
                found = self._solver(
                    x0=query.start,
                    lbx=query.lower,
                    ubx=query.upper,
                    lbg=self._lower,
                    ubg=self._upper,
                )
        except RuntimeError as error:
            raise EngineError(NAME, str(error)) from error
        stats = self._solver.stats()
        message = stats["return_status"]
        status = from_return_status(message)
        if status is NlpStatus.USER_STOP and self._deadline.passed:
            status = NlpStatus.TIME_LIMIT
        if not status.has_point:
            return Answer(status, message)
        # CasADi minimises sense * f, with Lagrangian sense * f + lam_g' g + lam_x' x.
        return Answer(
            status,
            message,
            iterations=int(stats["iter_count"]),
            x=_vector(found["x"]),
            duals=-self._sense * _vector(found["lam_g"]),
            reduced_costs=-self._sense * _vector(found["lam_x"]),
        )


class _Deadline(ca.Callback):
    """Stop IPOPT at the first iteration past the deadline."""

    def __init__(self, n: int, m: int) -> None:
        ca.Callback.__init__(self)
        self._sizes = {"f": 1, "x": n, "lam_x": n, "g": m, "lam_g": m, "lam_p": 0}
        self.passed = False
        self._moment: float | None = None
        self.construct("deadline", {})

    def start(self, time_limit: float | None) -> None:
        self.passed = False
        self._moment = None if time_limit is None else time.monotonic() + time_limit

    def get_n_in(self) -> int:
        return int(ca.nlpsol_n_out())

    def get_n_out(self) -> int:
        return 1

    def get_sparsity_in(self, i: int) -> Any:
        return ca.Sparsity.dense(self._sizes[ca.nlpsol_out(i)], 1)

    def eval(self, _: Any) -> list[int]:
        self.passed = self._moment is not None and time.monotonic() >= self._moment
        return [int(self.passed)]


def _vector(dense: Any) -> FloatArray:
    return np.asarray(dense.full(), dtype=np.float64).ravel()
