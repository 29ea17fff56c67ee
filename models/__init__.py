"""What is solved: learning models, perturbations, deviations, bilevel problems and data."""

from bilad.models.bilevel import BilevelProblem, MaxDeviation, MinPerturbation
from bilad.models.black_box import BlackBox, ClustererError
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.datasets import load_dataset
from bilad.models.deviation import (
    DeviationFunction,
    between_clusters,
    chosen_pairs,
    deviation,
)
from bilad.models.fusion_graph import FusionGraph
from bilad.models.learning_model import LearningModel
from bilad.models.perturbation import Perturbation
from bilad.models.recovery import RecoveryInterval, attack_is_possible, recovery_interval
from bilad.models.spill import monotone_range, spill, spill_deviation
from bilad.models.table import Dataset, DatasetError
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
    "RecoveryInterval",
    "attack_is_possible",
    "between_clusters",
    "chosen_pairs",
    "deviation",
    "load_dataset",
    "monotone_range",
    "recovery_interval",
    "spill",
    "spill_deviation",
]
