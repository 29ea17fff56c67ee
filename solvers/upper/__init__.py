"""Attacks: methods for the upper level of a bilevel problem."""

from bilad.models.learning_model import Answer
from bilad.solvers.upper.attack import UPPER_METHODS, attack, register_method
from bilad.solvers.upper.deletion import DroppedEdges, DroppedPoints, drop_edges, drop_points
from bilad.solvers.upper.lower_level import Evaluation, LowerLevel
from bilad.solvers.upper.method import new_method, refusal
from bilad.solvers.upper.reformulation import REFORMULATIONS
from bilad.solvers.upper.result import Attack, Point, Stage
from bilad.solvers.upper.stationarity import Stationarity, stationarity

__all__ = [
    "REFORMULATIONS",
    "UPPER_METHODS",
    "Answer",
    "Attack",
    "DroppedEdges",
    "DroppedPoints",
    "Evaluation",
    "LowerLevel",
    "Point",
    "Stage",
    "Stationarity",
    "attack",
    "drop_edges",
    "drop_points",
    "new_method",
    "refusal",
    "register_method",
    "stationarity",
]
