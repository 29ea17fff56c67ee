"""Which IPOPT to use: one on PATH that starts, else the one in CasADi."""

from __future__ import annotations

import shutil
import warnings

from bilad.solvers.nlp.engine import Engine
from bilad.solvers.nlp.errors import EngineError
from bilad.solvers.nlp.executable_engine import NAME as EXECUTABLE
from bilad.solvers.nlp.executable_engine import ExecutableEngine


def find_engine(engine: str = "auto", executable: str = "ipopt") -> Engine:
    """Find an IPOPT that runs on this machine.

    Parameters
    ----------
    engine : {"auto", "executable", "casadi"}, default "auto"
        "executable" is an `ipopt` on PATH, "casadi" the IPOPT in the CasADi wheel, "auto" the
        first of the two that starts.
    executable : str, default "ipopt"
        Name on PATH, or path, of the executable.

    Returns
    -------
    Engine
        With `.name` ("IPOPT executable" or "IPOPT in CasADi") and `.version` (IPOPT's own).

    Raises
    ------
    ValueError
        Unknown name.
    EngineError
        The engine cannot run; the message says why and how to get one.

    Warns
    -----
    RuntimeWarning
        With "auto", an executable is there but does not start, or one that was named is not
        there; CasADi's is used.
    """
    if engine == "executable":
        return _executable(executable)
    if engine == "casadi":
        return _casadi()
    if engine != "auto":
        raise ValueError(f"engine: expected 'auto', 'executable' or 'casadi', given {engine!r}")
    if executable != "ipopt" or shutil.which(executable) is not None:
        try:
            return _executable(executable)
        except EngineError as error:
            warnings.warn(f"falling back to CasADi's IPOPT; {error}", RuntimeWarning, stacklevel=2)
    return _casadi()


def _executable(name: str) -> Engine:
    path = shutil.which(name)
    if path is None:
        raise EngineError(EXECUTABLE, f"no `{name}` on PATH")
    return ExecutableEngine.find(path)


def _casadi() -> Engine:
    try:
        from bilad.solvers.nlp.casadi_engine import CasadiEngine
    except ImportError as error:
        raise EngineError("IPOPT in CasADi", f"casadi cannot be imported ({error})") from error
    return CasadiEngine.find()
