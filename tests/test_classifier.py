"""Detectors in the hands of scikit-learn: shapes, classes, arrays of pixels, metrics and calibration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, get_scorer, roc_auc_score
from sklearn.utils.validation import check_is_fitted

import nsnet
from nsnet.prediction.classifier import PictureClassifier
from nsnet.prediction.golden import golden_pictures
from nsnet.training.exports import SHIPPED
from tests.trees import draw

X = np.stack([np.roll(one, 30 * turn, axis=(0, 1)) for one in golden_pictures() for turn in range(4)])
Y = np.tile([0, 1], len(X) // 2)


@pytest.fixture(scope="module", params=["univfd", "cnn-control"])
def detector(request: pytest.FixtureRequest) -> Iterator[nsnet.Predictor]:
    yield nsnet.load(request.param, detectors=SHIPPED.root, draws=1)


def test_arrays_are_scored_as_open_pictures_are(detector: nsnet.Predictor) -> None:
    odds = detector.predict_proba(X)
    assert odds.shape == (len(X), 2) and odds.dtype == np.float64
    opened = [detector.predict(Image.fromarray(one)).score for one in X]
    # A picture alone and among others: sums in another order, some 1e-6 of logits below 20.
    np.testing.assert_allclose(odds[:, 1], opened, rtol=1e-4)
    np.testing.assert_allclose(detector.predict_proba(X[:1])[0], odds[0], rtol=1e-4)
    assert detector.predict_proba(X[:0]).shape == (0, 2)
    with pytest.raises(
        ValueError, match=r"(?s)2 of 2 .*expected pixels, uint8 \(h, w, 3\), got float64 \(176, 208, 3\)"
    ):
        detector.predict_proba(X[:2] / 255)
    with pytest.raises(ValueError, match=r"got uint8 \(176, 208\)"):
        detector.predict_proba(X[:1, :, :, 0])
    with pytest.raises(ValueError, match="too small: 4 x 5"):
        detector.predict_proba(X[:1, :5, :4])


def test_it_is_a_classifier(detector: nsnet.Predictor, tmp_path: Path) -> None:
    classifier = detector.classifier()
    check_is_fitted(classifier)
    assert is_classifier(classifier) and classifier.classes_.tolist() == [0, 1]
    assert isinstance(clone(FrozenEstimator(classifier)), FrozenEstimator) and classifier.fit(X, Y) is classifier
    odds, labels = classifier.predict_proba(X), classifier.predict(X)
    assert labels.tolist() == (odds[:, 1] >= detector.threshold).astype(int).tolist() and len(set(labels)) == 2
    assert labels.dtype == np.int64
    logits = classifier.decision_function(X)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), odds[:, 1], rtol=1e-9)  # float64 there and back
    paths = [draw(tmp_path / f"{seed}.png", seed) for seed in range(2)]
    assert classifier.predict(paths).shape == (2,)


def test_metrics_and_scorers_take_it(detector: nsnet.Predictor) -> None:
    classifier = detector.classifier()
    scores = classifier.predict_proba(X)[:, 1]
    fake, real = scores[Y == 1], scores[Y == 0]
    pairs = (fake[:, None] > real).mean() + (fake[:, None] == real).mean() / 2
    assert roc_auc_score(Y, scores) == pytest.approx(pairs)
    # A scorer looks at logits, which rank as scores do but where two of those are equal.
    assert get_scorer("roc_auc")(classifier, X, Y) == pytest.approx(pairs)
    assert classifier.score(X, Y) == accuracy_score(Y, scores >= detector.threshold)


def test_calibration_keeps_the_order(detector: nsnet.Predictor) -> None:
    classifier: PictureClassifier = detector.classifier()
    calibrated = CalibratedClassifierCV(FrozenEstimator(classifier), method="sigmoid").fit(X, Y)
    odds = calibrated.predict_proba(X)
    assert odds.shape == (len(X), 2) and calibrated.classes_.tolist() == [0, 1]
    order = np.argsort(classifier.decision_function(X))
    steps = np.diff(odds[order, 1])
    assert (steps >= 0).all() or (steps <= 0).all()
