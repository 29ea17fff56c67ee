"""The problems: learning models, perturbations, deviations, bilevel problems and data sets."""

from bilad.models.datasets import load_dataset
from bilad.models.deviation import between_clusters, chosen_pairs, deviation
from bilad.models.deviation_function import DeviationFunction
from bilad.models.learning.black_box import BlackBox, ClustererError, EstimatorError
from bilad.models.learning.capability import CAPABILITIES, Capability, supports
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import DisconnectedGraphWarning, FusionGraph
from bilad.models.learning.learning_model import Answer, LearningModel, LearningModelError, Solution
from bilad.models.learning.linear_model import Fit, LinearClassifier, LinearModel, Loss
from bilad.models.learning.logistic import LogisticRegression
from bilad.models.learning.recovery import RecoveryInterval, attack_is_possible, recovery_interval
from bilad.models.learning.ridge import Ridge
from bilad.models.learning.svm import SupportVectorMachine
from bilad.models.perturbation import Perturbation
from bilad.models.prediction_deviation import changed_predictions, validation_loss
from bilad.models.problem import BilevelProblem, MaxDeviation, MinPerturbation
from bilad.models.table import Dataset, DatasetError
from bilad.models.validation import ArgumentError

__all__ = [
    "CAPABILITIES",
    "Answer",
    "ArgumentError",
    "BilevelProblem",
    "BlackBox",
    "Capability",
    "ClustererError",
    "ConvexClustering",
    "Dataset",
    "DatasetError",
    "DeviationFunction",
    "DisconnectedGraphWarning",
    "EstimatorError",
    "Fit",
    "FusionGraph",
    "LearningModel",
    "LearningModelError",
    "LinearClassifier",
    "LinearModel",
    "LogisticRegression",
    "Loss",
    "MaxDeviation",
    "MinPerturbation",
    "Perturbation",
    "RecoveryInterval",
    "Ridge",
    "Solution",
    "SupportVectorMachine",
    "attack_is_possible",
    "between_clusters",
    "changed_predictions",
    "chosen_pairs",
    "deviation",
    "load_dataset",
    "recovery_interval",
    "supports",
    "validation_loss",
]
