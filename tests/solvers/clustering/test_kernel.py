import numba

from bilad.solvers.clustering.kernel import kernel


def test_kernels_compile_where_machine_code_cannot_be_kept(monkeypatch):
    compile_ = numba.njit

    def no_locator(function):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(
        numba,
        "njit",
        lambda cache=False, **options: no_locator if cache else compile_(**options),
    )
    assert kernel(lambda x: x + 1.0)(1.0) == 2.0
