"""IPOPT in the CasADi wheel: a model is differentiated once, and solved many times."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import casadi as ca
import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.nlp.engine import Answer, Engine, EngineError, OptionError
from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.nlp.nl_terms import read
from bilad.solvers.nlp.result import NlpStatus
from bilad.solvers.nlp.templates import TemplateNlp

# An empty file name keeps IPOPT from reading an ipopt.opt in the working folder.
SILENT = {"print_level": 0, "sb": "yes", "option_file_name": ""}
PLAIN = {"print_time": False, "show_eval_warnings": False}
NAME = "IPOPT in CasADi"
BUFFER = 2**27  # bytes that CasADi's OpenBLAS allocates for each thread
HSL = {"linux": "libhsl.so", "darwin": "libhsl.dylib", "win32": "libhsl.dll"}


def casadi_engine() -> Engine:
    """Return the engine.

    Raises
    ------
    EngineError
        If this CasADi has no IPOPT.
    MemoryError
        If there is not enough memory for its linear algebra.
    """
    _check_memory()
    if not ca.has_nlpsol("ipopt"):
        raise EngineError(NAME, f"CasADi {ca.CasadiMeta.version()} has no IPOPT plug-in")
    return Engine(NAME, _ipopt_version(), CasadiProgram)


@functools.cache  # the buffers are kept
def _check_memory() -> None:
    """Raise MemoryError where OpenBLAS would ask for memory again and again, and never end."""
    np.empty(BUFFER * (os.cpu_count() or 1), dtype=np.uint8)


class CasadiProgram:
    """An `nlpsol` object, kept for many solves.

    Raises
    ------
    ValueError
        If IPOPT refuses an option, or CasADi cannot represent the model.
    EngineError
        If CasADi refuses the problem.
    """

    def __init__(self, model: NlModel, options: Mapping[str, Any]) -> None:
        written = read(model, NAME)
        nlp = TemplateNlp(len(model.variables), written.rows)
        self._sense = model.sense
        self._lower, self._upper = written.lower, written.upper
        self._stop = _Stop(nlp.n, nlp.m)
        self._functions = _functions(nlp)
        with self._stop.signals_handled():
            self._solver = _checked_nlpsol(self._functions, options, self._stop)

    def solve(
        self, start: FloatArray, lower: FloatArray, upper: FloatArray, time_limit: float
    ) -> Answer:
        """Run IPOPT once.

        IPOPT's own time limits are fixed when the object is built. A callback checks the limit of
        this solve once an iteration. It also runs the handlers of signals; if a handler raises an
        exception, such as KeyboardInterrupt, the solve ends, and the exception is raised here.

        Raises
        ------
        EngineError
            If CasADi raises an error.
        """
        self._stop.set_limit(time_limit)
        try:
            with self._stop.signals_handled():
                found = self._solver(
                    x0=start, lbx=lower, ubx=upper, lbg=self._lower, ubg=self._upper
                )
        except RuntimeError as error:
            raise EngineError(NAME, str(error)) from error
        stats = self._solver.stats()
        message = stats["return_status"]
        evaluating = sum(t for name, t in stats.items() if name.startswith("t_wall_nlp_"))
        status = NlpStatus.of(message)
        if status is NlpStatus.USER_STOP and self._stop.late:
            status = NlpStatus.TIME_LIMIT
        if not status.has_point:
            return Answer(status, message, evaluating=evaluating)
        # CasADi minimises sense * f; its Lagrangian is sense * f + lam_g' g + lam_x' x.
        return Answer(
            status,
            message,
            iterations=int(stats["iter_count"]),
            evaluating=evaluating,
            x=_vector(found["x"]),
            duals=-self._sense * _vector(found["lam_g"]),
            reduced_costs=-self._sense * _vector(found["lam_x"]),
        )


class _Function(ca.Callback):
    """A function of arrays as a function of CasADi.

    Parameters
    ----------
    name : str
    inputs : dict of str to casadi.Sparsity
        By the names that `nlpsol` expects.
    outputs : dict of str to (casadi.Sparsity, callable)
        Each callable returns the entries of its output, given those of all inputs.
    """

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, tuple[Any, Callable[..., FloatArray]]],
    ) -> None:
        ca.Callback.__init__(self)
        self._inputs, self._outputs = list(inputs.items()), list(outputs.items())
        self.construct(name, {})

    def get_n_in(self) -> int:
        return len(self._inputs)

    def get_n_out(self) -> int:
        return len(self._outputs)

    def get_name_in(self, i: int) -> str:
        return self._inputs[i][0]

    def get_name_out(self, i: int) -> str:
        return self._outputs[i][0]

    def get_sparsity_in(self, i: int) -> Any:
        return self._inputs[i][1]

    def get_sparsity_out(self, i: int) -> Any:
        return self._outputs[i][1][0]

    def has_eval_buffer(self) -> bool:
        return True

    def eval_buffer(self, given: Any, wanted: Any) -> int:
        """Evaluate the outputs that have a buffer; an input without one is zero."""
        entries = zip(given, self._inputs, strict=True)
        arrays = [
            np.zeros(sparsity.nnz()) if buffer is None else np.frombuffer(buffer)
            for buffer, (_, sparsity) in entries
        ]
        for buffer, (_, (_, evaluate)) in zip(wanted, self._outputs, strict=True):
            if buffer is not None:
                np.frombuffer(buffer)[:] = evaluate(*arrays)
        return 0


def _functions(nlp: TemplateNlp) -> tuple[Any, dict[str, Any]]:
    """Return the functions of `nlpsol`: that of the problem, and its derivatives by name."""
    dense = ca.Sparsity.dense
    x = {"x": dense(nlp.n, 1), "p": dense(0, 1)}
    multipliers = {"lam_f": dense(1, 1), "lam_g": dense(nlp.m, 1)}
    f = {"f": (dense(1, 1), lambda x, p: nlp.values(x)[-1:])}
    g = {"g": (dense(nlp.m, 1), lambda x, p: nlp.values(x)[:-1])}
    gradient = {"grad_f_x": (dense(nlp.n, 1), lambda x, p: nlp.gradient(x))}
    jacobian = {"jac_g_x": (nlp.jacobian_of.sparsity, lambda x, p: nlp.jacobian(x))}
    hessian = {
        "triu_hess_gamma_x_x": (
            nlp.hessian_of.sparsity,
            lambda x, p, factor, multipliers: nlp.hessian(x, factor[0], multipliers),
        )
    }
    derivatives = {
        "grad_f": _Function("grad_f", x, {**f, **gradient}),
        "jac_g": _Function("jac_g", x, {**g, **jacobian}),
        "hess_lag": _Function("hess_lag", {**x, **multipliers}, hessian),
    }
    return _Function("nlp", x, {**f, **g}), derivatives


class _Stop(ca.Callback):
    """A callback that stops IPOPT at the first iteration after a deadline or an exception.

    The exceptions are those of signal handlers. They must not pass through CasADi, which reports
    them as a status of IPOPT; hence the handlers run in this callback, or after CasADi has ended.
    """

    def __init__(self, n: int, m: int) -> None:
        ca.Callback.__init__(self)
        self._sizes = {"f": 1, "x": n, "lam_x": n, "g": m, "lam_g": m, "lam_p": 0}
        self._signals: list[int] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._raised: BaseException | None = None
        self.set_limit(np.inf)
        self.construct("stop", {})

    def set_limit(self, time_limit: float) -> None:
        self.late = False
        self._deadline = time.monotonic() + time_limit

    def get_n_in(self) -> int:
        return int(ca.nlpsol_n_out())

    def get_n_out(self) -> int:
        return 1

    def get_sparsity_in(self, i: int) -> Any:
        return ca.Sparsity.dense(self._sizes[ca.nlpsol_out(i)], 1)

    def eval(self, _: Any) -> list[int]:
        self._run_handlers()
        self.late = time.monotonic() >= self._deadline
        return [int(self.late or self._raised is not None)]

    @contextlib.contextmanager
    def signals_handled(self) -> Iterator[None]:
        """Run the handlers of the signals that arrive inside, and raise their first exception."""
        self._raised, self._handlers, self._signals = None, {}, []
        # Python runs signal handlers in the main thread only.
        if threading.current_thread() is threading.main_thread():
            found = {number: signal.getsignal(number) for number in signal.valid_signals()}
            self._handlers = {n: handler for n, handler in found.items() if callable(handler)}
        for number in self._handlers:
            signal.signal(number, self._record)
        try:
            yield
        finally:
            for number, handler in self._handlers.items():
                if signal.getsignal(number) == self._record:  # no handler has replaced it
                    signal.signal(number, handler)
            self._run_handlers()
            if self._raised is not None:
                raise self._raised

    def _record(self, number: int, _: FrameType | None) -> None:
        self._signals.append(number)

    def _run_handlers(self) -> None:
        while self._signals and self._raised is None:
            number = self._signals.pop(0)
            try:
                self._handlers[number](number, None)
            except BaseException as error:
                self._raised = error


def _vector(dense: Any) -> FloatArray:
    return np.asarray(dense.full(), dtype=np.float64).ravel()


def _checked_nlpsol(
    functions: tuple[Any, dict[str, Any]], options: Mapping[str, Any], callback: Any
) -> Any:
    """Make the `nlpsol` object of a problem, and name an option that IPOPT refuses."""
    _refuse_missing_hsl(options)
    for name, value in options.items():
        # CasADi would truncate 1.5 to 1 without a warning where IPOPT expects an integer.
        if isinstance(value, float) and not value.is_integer() and name in _integer_options():
            raise OptionError(name, value, "expected an integer")
    problem, derivatives = functions
    unused = {"no_nlp_grad": True, "calc_lam_p": False}
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            more = {**derivatives, **unused, "iteration_callback": callback}
            return _nlpsol(problem, options, more)
    except RuntimeError as error:
        for name, value in options.items():
            _try_option(name, value)
        raise EngineError(NAME, f"{error} {printed.getvalue()}") from error


def _nlpsol(problem: Any, options: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    settings = {f"ipopt.{name}": value for name, value in {**SILENT, **options}.items()}
    return ca.nlpsol("ipopt", "ipopt", problem, {**PLAIN, **settings, **more})


def _small_nlpsol(options: Mapping[str, Any]) -> Any:
    x = ca.SX.sym("x")
    return _nlpsol({"x": x, "f": (x - 1) ** 2, "g": ca.SX(0, 1)}, options, {})


def _try_option(name: str, value: Any) -> None:
    """Raise OptionError if IPOPT refuses this option alone on a problem of one variable."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            _small_nlpsol({name: value})
    except RuntimeError as error:
        words = printed.getvalue().strip().splitlines() or str(error).strip().splitlines()[-1:]
        raise OptionError(name, value, words[0]) from error


def _refuse_missing_hsl(options: Mapping[str, Any]) -> None:
    """Refuse an HSL solver without its library: IPOPT 3.14.19 then crashes the process."""
    solver = str(options.get("linear_solver", "mumps"))
    if not re.fullmatch(r"ma\d\d", solver):
        return
    library = str(options.get("hsllib", HSL.get(sys.platform, "libhsl.so")))
    try:
        ctypes.CDLL(library)
    except OSError as error:
        raise OptionError("linear_solver", solver, f"cannot load {library} ({error})") from error


@functools.cache
def _ipopt_version() -> str:
    """Return the version that IPOPT prints, since CasADi does not report it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        _small_nlpsol({"print_level": 5, "sb": "no"})(x0=0.0)
    found = re.search(r"Ipopt version ([\w.]*\w)", printed.getvalue())
    return found.group(1) if found else "unknown"


@functools.cache
def _integer_options() -> frozenset[str]:
    """Return the names of IPOPT's integer options, from the documentation that IPOPT prints."""
    printed = io.StringIO()
    manual = {"print_options_documentation": "yes", "print_options_mode": "doxygen"}
    with contextlib.redirect_stdout(printed):
        _small_nlpsol({**manual, "print_advanced_options": "yes", "print_level": 5})
    chapters = printed.getvalue().split("\\anchor OPT_")[1:]
    return frozenset(text.split()[0] for text in chapters if "this integer option" in text)
