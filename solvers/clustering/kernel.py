"""The decorator of compiled functions, and the types of their index arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
# Indices are unsigned where speed matters: a signed one is tested for a negative value each time.
Indices = NDArray[np.uint32]


def kernel(function: Function) -> Function:
    """Compile on first use, and store the machine code for later processes if possible.

    Arithmetic is that of IEEE 754, so that proofs can be computed; division by zero gives inf.
    """
    return _compiled(function)


def fast_kernel(function: Function) -> Function:
    """Compile with freedom to reorder sums, for what proves nothing."""
    return _compiled(function, fastmath={"contract", "nsz", "arcp", "reassoc"})


def _compiled(function: Function, **options: Any) -> Function:
    try:
        compiled = numba.njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # no folder for the cache is writable
        compiled = numba.njit(error_model="numpy", **options)(function)
    return cast(Function, compiled)
