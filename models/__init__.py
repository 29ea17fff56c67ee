"""What is solved: learning models, perturbations, deviations, bilevel problems and data."""

from bilad.models.bilevel import BilevelProblem, MaxDeviation, MinPerturbation
from bilad.models.black_box import BlackBox, ClustererError
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.datasets import Dataset, DatasetError, load_dataset
from bilad.models.deviation import (
    DeviationFunction,
    between_clusters,
    chosen_pairs,
    deviation,
)
from bilad.models.fusion_graph import FusionGraph
from bilad.models.learning_model import LearningModel
from bilad.models.perturbation import Perturbation
from bilad.models.validation import ArgumentError

__all__ = [
    "ArgumentError",
    "BilevelProblem",
    "BlackBox",
    "ClustererError",
    "ConvexClustering",
    "Dataset",
    "DatasetError",
    "DeviationFunction",
    "FusionGraph",
    "LearningModel",
    "MaxDeviation",
    "MinPerturbation",
    "Perturbation",
    "between_clusters",
    "chosen_pairs",
    "deviation",
    "load_dataset",
]
