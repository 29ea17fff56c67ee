"""`import bilad.models` loads no library that takes long to import."""

import subprocess
import sys

SLOW = ("matplotlib", "numpy.f2py", "pandas", "pyomo", "rich", "scipy.optimize", "scipy.sparse",
        "scipy.spatial", "scipy.special", "sklearn")  # fmt: skip


def test_models_are_imported_without_slow_libraries():
    code = f"import sys, bilad.models; print([m for m in {SLOW} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
