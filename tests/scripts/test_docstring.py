"""Docstrings are read into the parts that commands show."""

from functools import partial

from bilad.scripts.docstring import docstring


def search(problem, *, step=0.5, least=1, most=2):
    """Search on a grid.

    The first paragraph has
    two lines.

        a formula  =  1

    Parameters
    ----------
    problem : BilevelProblem
    step : {"a, b", 0.5}, default 0.5
        Length of
        a step.

        It has a second paragraph.
    least, most : int, optional
        Limits.

    Raises
    ------
    ArgumentError
        If a step is wrong.

    References
    ----------
    Somebody, A paper,
    2001.
    """


def test_a_docstring_is_read_into_its_parts():
    found = docstring(partial(search, step=1))
    assert found.summary == "Search on a grid."
    assert found.paragraphs == [
        "The first paragraph has two lines.",
        "    a formula  =  1",
    ]
    assert found.parameters == {
        "problem": ("BilevelProblem", ""),
        "step": ('{"a, b", 0.5}', "Length of a step. It has a second paragraph."),
        "least": ("int", "Limits."),
        "most": ("int", "Limits."),
    }
    assert found.references == "Somebody, A paper, 2001."


def test_without_a_docstring_all_is_empty():
    found = docstring(lambda problem: None)
    assert (found.summary, found.paragraphs, found.parameters, found.references) == ("", [], {}, "")
