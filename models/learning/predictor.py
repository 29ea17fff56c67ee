"""The capability of a learning model to predict: what deviations of predictions need of it."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import ArrayLike

from bilad.models.learning.capability import Capability
from bilad.models.smooth_deviation import SmoothDeviation


class Predictor(Protocol):
    """The predictions of one learning model, as functions of the outcome of a solution.

    Held-out data are passed in the form in which `check` returns them.
    """

    @property
    def is_smooth(self) -> bool:
        """Whether `smooth_changes` and `smooth_loss` can be called."""

    def check(self, X: ArrayLike | None, y: ArrayLike | None) -> tuple[Any, Any]:
        """Return held-out data and targets after validation; the model's own for None.

        Raises
        ------
        ArgumentError
            If they are not those of a held-out data set of this model.
        """

    def predict(self, outcome: Any, X: Any) -> Any:
        """Return one prediction for each row of X."""

    def loss(self, outcome: Any, X: Any, y: Any) -> float:
        """Return the mean loss on held-out data."""

    def decided(self, solution: Any, X: Any) -> bool:
        """Return whether the predictions of a solution are proved for all rows of X."""

    def smooth_changes(self, outcome: Any, X: Any) -> SmoothDeviation:
        """Return the smooth number of predictions that differ from those of an outcome."""

    def smooth_loss(self, outcome: Any, X: Any, y: Any) -> SmoothDeviation:
        """Return the smooth increase of the mean loss over that of an outcome."""


# predictor(model): its Predictor.
predictor: Capability[Predictor] = Capability("predictor")
