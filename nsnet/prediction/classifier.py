"""A trained detector as scikit-learn knows classifiers: for its metrics, its calibration and its pipelines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin

from nsnet.prediction.draws import NEAREST

if TYPE_CHECKING:
    from nsnet.prediction.pictures import Picture
    from nsnet.prediction.predictor import Predictor


class PictureClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of pictures: paths, open images, or an array of pixels, uint8 (n, h, w, 3).

    It is trained already; wrap it in `sklearn.frozen.FrozenEstimator` where something would fit it again.

    Attributes:
        classes_: int64 (2,): 0 is real, 1 is fake, as the label of every table.
    """

    def __init__(self, predictor: Predictor) -> None:
        """Wrap a predictor of `nsnet.load`."""
        self.predictor = predictor
        self.classes_ = np.array([0, 1])

    def fit(self, X: Iterable[Picture], y: Any = None) -> PictureClassifier:
        """Nothing: it is trained, and `nsnet` trains others.

        Returns:
            Itself.
        """
        return self

    def predict_proba(self, X: Iterable[Picture]) -> Float64[np.ndarray, "n 2"]:
        """Probabilities of `classes_`: `nsnet.Predictor.predict_proba`.

        Raises:
            ValueError: pictures that cannot be scored, all of them.
        """
        return self.predictor.predict_proba(X)

    def decision_function(self, X: Iterable[Picture]) -> Float64[np.ndarray, " n"]:
        """Logits of fake, float64 (n,), finite: a probability of 0 or 1 counts as the nearest that has a logit.

        Raises:
            ValueError: as `predict_proba`.
        """
        logits: Float64[np.ndarray, " n"] = logit(np.clip(self.predict_proba(X)[:, 1], NEAREST, 1 - NEAREST))
        return logits

    def predict(self, X: Iterable[Picture]) -> Int64[np.ndarray, " n"]:
        """1 where the score is at the predictor's threshold or above, else 0: int64 (n,).

        Raises:
            ValueError: as `predict_proba`.
        """
        return self.classes_[(self.predict_proba(X)[:, 1] >= self.predictor.threshold).astype(np.int64)]
