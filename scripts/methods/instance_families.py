"""The families of instances that the methods are compared on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bilad.scripts.free_entries import DIGITS_GAMMA
from bilad.scripts.methods.instances import CLUSTERERS, Instance
from bilad.scripts.settings import SETTINGS

BOTH = ("BL1", "BL2")
ENTRIES = {"iris": (5, 20, 60), "gaussians": (5, 20, 60, 200)}  # Iris has 100 points
FACTORS = {"iris": (20, 60), "gaussians": (20, 60)}
EDGES = (20, 60)
SIZE_ENTRIES = BLACK_BOX_ENTRIES = 20


def table1(budget: float, seed: int) -> Iterator[Instance]:
    """One eps on Iris, Seeds and Wine, our settings; nothing is drawn."""
    for data in SETTINGS:
        for question in BOTH:
            yield Instance("table1", data, "shift", 1, "2", question, budget)


def entries(budget: float, seed: int) -> Iterator[Instance]:
    """Free entries in the box and in the ball."""
    for data, counts in ENTRIES.items():
        for k in counts:
            for norm in ("inf", "2"):
                for question in BOTH:
                    yield Instance("entries", data, "entries", k, norm, question, budget, seed)


def multiplicative(budget: float, seed: int) -> Iterator[Instance]:
    """Entries that grow or shrink by a factor."""
    for data, counts in FACTORS.items():
        for k in counts:
            for question in BOTH:
                yield Instance("multiplicative", data, "factors", k, "inf", question, budget, seed)


def edges(budget: float, seed: int) -> Iterator[Instance]:
    """Weights of edges; all of them may go (norm inf), or a quarter of them (norm 1)."""
    for k in EDGES:
        for norm in ("inf", "1"):
            for question in BOTH:
                yield Instance("edges", "gaussians", "edges", k, norm, question, budget, seed)


def size(budget: float, seed: int) -> Iterator[Instance]:
    """More and more digits."""
    for n in DIGITS_GAMMA:
        yield Instance("size", f"digits {n}", "entries", SIZE_ENTRIES, "inf", "BL1", budget, seed)


def black_box(budget: float, seed: int) -> Iterator[Instance]:
    """Clusterers of scikit-learn, known by their answers only."""
    for learner in CLUSTERERS:
        for question in BOTH:
            yield Instance(
                "black-box",
                "gaussians",
                "entries",
                BLACK_BOX_ENTRIES,
                "inf",
                question,
                budget,
                seed,
                learner,
            )


FAMILIES = {
    "table1": table1,
    "entries": entries,
    "multiplicative": multiplicative,
    "edges": edges,
    "size": size,
    "black-box": black_box,
}
# Of each family one small problem of each question that it has.
QUICK = (
    Instance("table1", "iris", "shift", 1, "2", "BL1"),
    Instance("entries", "iris", "entries", 5, "inf", "BL1"),
    Instance("entries", "iris", "entries", 5, "inf", "BL2"),
    Instance("multiplicative", "iris", "factors", 20, "inf", "BL1"),
    Instance("edges", "gaussians", "edges", 20, "inf", "BL1"),
    Instance("size", "digits 100", "entries", SIZE_ENTRIES, "inf", "BL1"),
    Instance("black-box", "gaussians", "entries", 20, "inf", "BL1", learner="k-means"),
)


def instances(
    families: Sequence[str], budgets: Sequence[float], seeds: Sequence[int]
) -> list[Instance]:
    """Return the instances of some families, each once."""
    made = (
        instance
        for family in families
        for seed in seeds
        for budget in budgets
        for instance in FAMILIES[family](budget, seed)
    )
    return list(dict.fromkeys(made))


def quick_instances(families: Sequence[str]) -> list[Instance]:
    """Return one small instance or two of some families."""
    return [instance for instance in QUICK if instance.family in families]
