"""Groups of options that several commands have: data, learning model, perturbation and output.

A selection of rows, columns, points or features is a text of indices from 0 and ranges such as
"0:5,7"; columns and features can also be named. Without a value, the default is that of the
specification of an experiment (docs/experiments.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from bilad.scripts.experiments.parts import PERTURBATIONS
from bilad.solvers.clustering import LOWER_METHODS


def option(text: str, *names: str, **limits: Any) -> Any:
    """Return an option with its help."""
    return typer.Option(*names, help=text, **limits)


def selection(text: str) -> Any:
    """Return an option that selects rows, columns, points or features."""
    return option(f"{text}: indices from 0 and ranges, such as 0:5,7.", metavar="SELECTION")


DATA = typer.Argument(
    help="A file (.csv, .tsv, .txt, .data, .parquet, .npy), or the name of a data set.",
    metavar="DATA",
)
PROBLEM = typer.Argument(
    help="A file (.csv, .tsv, .txt, .data, .parquet, .npy), or the name of a data set. Without "
    "--gamma, iris, seeds and wine are our settings, whose options can be changed.",
    metavar="DATA",
)


SECONDS = option("Time limit in seconds.", min=0.0)
SEED = option("Seed of the random numbers.", min=0)
LOWER = option(f"Method of the lower level: auto, {', '.join(LOWER_METHODS)}.")


@dataclass(frozen=True)
class DataOptions:
    """Which rows and columns of a table are points and features, and in which unit."""

    panel: ClassVar = "Data"

    rows: Annotated[str | None, selection("Points")] = None
    columns: Annotated[str | None, selection("Features; also by name")] = None
    label: Annotated[
        str | None, option("Column of classes, by its name or index.", metavar="COLUMN")
    ] = None
    header: Annotated[
        bool | None, option("Whether the first row of a text file names the columns.")
    ] = None
    standardise: Annotated[
        bool, option("Give every feature mean 0 and variance 1.", "--standardise")
    ] = False
    scale: Annotated[float | None, option("Factor of all values.")] = None


@dataclass(frozen=True)
class GraphOptions:
    """The fusion graph and the norm of convex clustering."""

    panel: ClassVar = "Convex clustering"

    p: Annotated[float | None, option("Norm of the fusion terms: 1, 2 (default) or inf.")] = None
    weights: Annotated[
        str | None, option("Graph: knn (nearest neighbours, the default) or complete.")
    ] = None
    neighbours: Annotated[int | None, option("Of knn; by default 10.")] = None
    phi: Annotated[
        float | None, option("Of the weights exp(-phi ||a_i - a_j||^2) of knn; by default 0.5.")
    ] = None
    weight: Annotated[
        str | None, option('Of each edge of the complete graph: a number, or "1/n"; by default 1.')
    ] = None


@dataclass(frozen=True)
class ClusteringOptions(GraphOptions):
    """Convex clustering for one gamma."""

    gamma: Annotated[
        float | None, option("Weight of the fusion terms; `bilad path DATA` suggests one.")
    ] = None


@dataclass(frozen=True)
class ModelOptions(ClusteringOptions):
    """A learning model."""

    panel: ClassVar = "Learning model"

    model: Annotated[str | None, option("clustering (default), ridge, logistic or svm.")] = None
    penalty: Annotated[
        float | None, option("Of ridge, logistic and svm: factor of ||theta||^2 / 2; default 1.")
    ] = None
    target_column: Annotated[
        str | None, option("Column that ridge predicts, by its name or index.", metavar="COLUMN")
    ] = None


@dataclass(frozen=True)
class PerturbationOptions:
    """What is perturbed, and by how much."""

    panel: ClassVar = "Perturbation"

    kind: Annotated[
        str | None, option(f"One of: {', '.join(PERTURBATIONS)}; by default additive.")
    ] = None
    points: Annotated[str | None, selection("Points that are perturbed; by default all")] = None
    features: Annotated[
        str | None, selection("Features that are perturbed, also by name; by default all")
    ] = None
    norm: Annotated[str | None, option('Norm of eps: 1, 2 (default), inf or "count".')] = None
    budget: Annotated[float | None, option("Largest norm of eps (BL1); by default 1.")] = None
    target: Annotated[float | None, option("Deviation that is to be reached (BL2).")] = None
    deviation: Annotated[
        str | None,
        option("Deviation function; by default delta, or that of predictions of linear models."),
    ] = None


@dataclass(frozen=True)
class PrintOptions:
    """What is printed, and whether files are replaced."""

    panel: ClassVar = "Output"

    force: Annotated[bool, option("Replace files that exist.", "--force")] = False
    json: Annotated[bool, option("Print the result as JSON.", "--json")] = False
    csv: Annotated[bool, option("Print the table as CSV.", "--csv")] = False
    latex: Annotated[bool, option("Print the table as LaTeX.", "--latex")] = False
    quiet: Annotated[bool, option("Print no messages and no progress.", "--quiet")] = False


@dataclass(frozen=True)
class OutputOptions(PrintOptions):
    """What is printed, and where files are written."""

    out: Annotated[
        Path | None, option("Folder; by default results/COMMAND/NAME.", metavar="FOLDER")
    ] = None
