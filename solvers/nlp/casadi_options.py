"""CasADi's nlpsol with IPOPT's options: silent, checked, and with refusals that name the option."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import re
import sys
from collections.abc import Mapping
from typing import Any

import casadi as ca

from bilad.solvers.nlp.errors import EngineError, OptionError

NAME = "IPOPT in CasADi"

# An empty file name keeps IPOPT from reading an ipopt.opt that happens to lie in the folder.
SILENT = {"print_level": 0, "sb": "yes", "option_file_name": ""}
PLAIN = {"print_time": False, "show_eval_warnings": False}

HSL = {"linux": "libhsl.so", "darwin": "libhsl.dylib", "win32": "libhsl.dll"}


def build(x: Any, f: Any, g: Any, options: Mapping[str, Any], callback: Any) -> Any:
    """Make the `nlpsol` object of: minimise f(x), bounds on x and g(x).

    Raises
    ------
    OptionError
        IPOPT refuses an option.
    EngineError
        CasADi refuses the problem.
    """
    _refuse_missing_hsl(options)
    _refuse_fractions(options)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            return _nlpsol(x, f, g, options, {"iteration_callback": callback})
    except RuntimeError as error:
        for name, value in options.items():
            _try_option(name, value)
        raise EngineError(NAME, f"{error} {printed.getvalue()}") from error


@functools.cache
def ipopt_version() -> str:
    """IPOPT's own version, such as "3.14.19": CasADi does not tell it, IPOPT prints it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        _tiny({"print_level": 5, "sb": "no"})(x0=0.0)
    found = re.search(r"Ipopt version ([\w.]*\w)", printed.getvalue())
    return found.group(1) if found else "unknown"


def _nlpsol(x: Any, f: Any, g: Any, options: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    settings = {f"ipopt.{name}": value for name, value in {**SILENT, **options}.items()}
    return ca.nlpsol("ipopt", "ipopt", {"x": x, "f": f, "g": g}, {**PLAIN, **settings, **more})


def _tiny(options: Mapping[str, Any]) -> Any:
    x = ca.SX.sym("x")
    return _nlpsol(x, (x - 1) ** 2, ca.SX(0, 1), options, {})


def _refuse_fractions(options: Mapping[str, Any]) -> None:
    """CasADi would cut 1.5 to 1 and say nothing where IPOPT wants an integer."""
    for name, value in options.items():
        if isinstance(value, float) and not value.is_integer() and name in _integer_options():
            raise OptionError(name, value, "expected an integer")


@functools.cache
def _integer_options() -> frozenset[str]:
    """Names of IPOPT's integer options, read off its own documentation."""
    printed = io.StringIO()
    manual = {"print_options_documentation": "yes", "print_options_mode": "doxygen"}
    with contextlib.redirect_stdout(printed):
        _tiny({**manual, "print_advanced_options": "yes", "print_level": 5})
    chapters = printed.getvalue().split("\\anchor OPT_")[1:]
    return frozenset(text.split()[0] for text in chapters if "this integer option" in text)


def _try_option(name: str, value: Any) -> None:
    """Raise OptionError when IPOPT refuses this option, alone, on a problem of one variable."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            _tiny({name: value})
    except RuntimeError as error:
        words = printed.getvalue().strip().splitlines() or str(error).strip().splitlines()[-1:]
        raise OptionError(name, value, words[0]) from error


def _refuse_missing_hsl(options: Mapping[str, Any]) -> None:
    """IPOPT 3.14.19 crashes the process after it failed to load the library of ma97."""
    solver = str(options.get("linear_solver", "mumps"))
    if not re.fullmatch(r"ma\d\d", solver):
        return
    library = str(options.get("hsllib", HSL.get(sys.platform, "libhsl.so")))
    try:
        ctypes.CDLL(library)
    except OSError as error:
        raise OptionError("linear_solver", solver, f"cannot load {library} ({error})") from error
