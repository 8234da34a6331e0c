"""Pictures to predictions, and to what they come from: a bad file is named and passed over."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from jaxtyping import Float64
from PIL import Image

import nsnet
from nsnet.features.conditions import CLEAN, Condition, apply
from nsnet.features.deliveries import DELIVERIES
from nsnet.features.views import View, make_view
from nsnet.prediction.draws import decide, pooled
from nsnet.prediction.explanations import Explanation, contributions, parts_of
from nsnet.prediction.pictures import Opened, Picture, open_picture
from nsnet.prediction.predictions import Prediction, Redelivery, Rejection, redeliveries
from nsnet.prediction.scorer import Scorer
from nsnet.prediction.threads import in_threads

if TYPE_CHECKING:
    from nsnet.prediction.classifier import PictureClassifier

Said = TypeVar("Said")
# Views scored together: 10 MB at 224 pixels a side.
TOGETHER = 64


@dataclass(frozen=True)
class _Shown:
    path: str | None
    views: list[View]


class Predictor:
    """A trained detector that scores pictures, shown as they are: no condition of params.yaml is laid over them.

    Attributes:
        run: its row of the table runs.
        draws: mosaics of each picture; 1 where the view is none.
        threshold: a score from here on is called fake.
        classes_: what the columns of `predict_proba` stand for, as scikit-learn names them.
    """

    classes_ = ("real", "fake")

    def __init__(
        self,
        scorer: Scorer,
        run: dict[str, Any],
        draws: int,
        threshold: float | None = None,
        workers: int | None = None,
    ) -> None:
        """Wrap a loaded detector; `nsnet.load` does.

        Args:
            scorer, run: the detector, and its row of the table runs.
            draws: mosaics of each picture that are asked for; the first are the ones that detectors are tested on.
            threshold: None takes the one that was chosen on the run's validation split.
            workers: threads that decode and score; one a core if None.

        Raises:
            ValueError: no draws, no workers, or a threshold that is no probability.
        """
        for name, count in (("draws", draws), ("workers", 1 if workers is None else workers)):
            if count < 1:
                raise ValueError(f"{name}: expected 1 or more, got {count}")
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold: expected a probability from 0 to 1, got {threshold}")
        self.run = run
        self.draws = draws if scorer.needs.view == "mosaic" else 1
        self.threshold = float(run["threshold"]) if threshold is None else threshold
        self._scorer, self._workers, self._version = scorer, workers or os.cpu_count() or 1, nsnet.__version__

    @overload
    def predict(  # type: ignore[overload-overlap]  # a str is an iterable of such
        self, pictures: str | Path | Image.Image
    ) -> Prediction: ...

    @overload
    def predict(self, pictures: Iterable[Picture]) -> list[Prediction]: ...

    def predict(self, pictures: Any) -> Prediction | list[Prediction]:
        """Score one picture, or several.

        The shuffle of a mosaic follows from the bytes of a file; an open picture has none, so that it follows
        from its pixels, and differs from its file's.

        Args:
            pictures: a path or an open PIL image, or an iterable of such and of pixels, uint8 (h, w, 3): also one
                array of them, (n, h, w, 3).

        Returns:
            A prediction; for an iterable a list of them, in its order.

        Raises:
            ValueError: pictures that cannot be scored, all of them, with reasons. `stream` passes them over.
        """
        alone = isinstance(pictures, str | Path | Image.Image)
        scored = _all_scored(self.stream([pictures] if alone else pictures))
        return scored[0] if alone else scored

    def predict_proba(self, pictures: Iterable[Picture]) -> Float64[np.ndarray, "n 2"]:
        """Scores as scikit-learn gives them.

        Args:
            pictures: as of `predict`.

        Returns:
            float64 (n, 2): probabilities of real and of fake, in the order of the pictures.

        Raises:
            ValueError: as `predict`.
        """
        scores = np.array([one.score for one in self.predict(pictures)], np.float64)
        return np.stack([1 - scores, scores], axis=1)

    def classifier(self) -> PictureClassifier:
        """This detector as an estimator of scikit-learn, whose `predict` gives labels."""
        from nsnet.prediction.classifier import PictureClassifier

        return PictureClassifier(self)

    def stream(self, pictures: Iterable[Picture]) -> Iterator[Prediction | Rejection]:
        """Score pictures as they come, in threads, a few groups ahead of the one that is asked for.

        Args:
            pictures: as of `predict`.

        Yields:
            What is said of each, in order: a prediction, or why there is none.
        """
        for said in self._stream(pictures, (CLEAN,)):
            yield said if isinstance(said, Rejection) else said[0]

    def redeliver(self, picture: Picture, deliveries: Sequence[Condition] = DELIVERIES) -> list[Redelivery]:
        """Score a picture as it is, and as it is after each of some deliveries.

        The shuffle of a mosaic stays the picture's own, so that nothing but the delivery moves the score.

        Args:
            picture: a path, an open PIL image, or pixels, uint8 (h, w, 3).
            deliveries: what is done to it; left out, saved as JPEG and WebP, made smaller, taken from a screen.

        Returns:
            The picture as it is (`clean`), then the deliveries, in order.

        Raises:
            ValueError: as `predict`.
        """
        return _all_scored(self.redeliveries([picture], deliveries))[0]

    def redeliveries(
        self, pictures: Iterable[Picture], deliveries: Sequence[Condition] = DELIVERIES
    ) -> Iterator[list[Redelivery] | Rejection]:
        """As `redeliver`, for pictures as they come, in threads as `stream`.

        Args:
            pictures: as of `predict`.
            deliveries: as of `redeliver`.

        Yields:
            What is said of each, in order, or why nothing is.
        """
        names = [CLEAN.name, *(delivery.name for delivery in deliveries)]
        for said in self._stream(pictures, (CLEAN, *deliveries)):
            yield said if isinstance(said, Rejection) else redeliveries(names, said)

    def explain(self, picture: Picture) -> Explanation:
        """Score a picture, and each of its parts by leaving it out.

        Takes 1 + parts views for each draw, 392 more than `predict` of eight mosaics of 49 patches.

        Args:
            picture: a path, an open PIL image, or pixels, uint8 (h, w, 3).

        Returns:
            The prediction, the parts and their contributions; `nsnet.prediction.plots` draws them.

        Raises:
            ValueError: as `predict`.
        """
        return _all_scored(self.explanations([picture]))[0]

    def explanations(self, pictures: Iterable[Picture]) -> Iterator[Explanation | Rejection]:
        """As `explain`, for pictures as they come, in threads as `stream`.

        Args:
            pictures: as of `predict`.

        Yields:
            What explains each, in order, or why there is nothing to explain.
        """
        return in_threads(self._explained, pictures, 1, self._workers)

    def _stream(
        self, pictures: Iterable[Picture], conditions: Sequence[Condition]
    ) -> Iterator[list[Prediction] | Rejection]:
        """Of each picture a prediction under each condition."""
        size = max(1, TOGETHER // (self.draws * len(conditions)))
        return in_threads(partial(self._said, conditions), pictures, size, self._workers)

    def _said(self, conditions: Sequence[Condition], pictures: Sequence[Picture]) -> list[list[Prediction] | Rejection]:
        """What is said of a group of pictures; runs in threads."""
        shown = [self._show(picture, conditions) for picture in pictures]
        views = [view for one in shown if isinstance(one, _Shown) for view in one.views]
        scores = self._scorer.score(views) if views else np.empty(0)
        rows = iter(scores.reshape(-1, len(conditions), self.draws))
        return [self._predictions(one.path, next(rows)) if isinstance(one, _Shown) else one for one in shown]

    def _show(self, picture: Picture, conditions: Sequence[Condition]) -> _Shown | Rejection:
        """The views of a picture, or what is wrong with it; its pixels are let go of."""
        opened, needs = open_picture(picture, self._scorer.views), self._scorer.needs
        if isinstance(opened, Rejection):
            return opened
        views = []
        for condition in conditions:
            pixels = apply(condition, opened.pixels, opened.name)
            views += [
                make_view(needs.view, pixels, opened.name, draw, self._scorer.views) for draw in range(self.draws)
            ]
        return _Shown(opened.path, views)

    def _explained(self, pictures: Sequence[Picture]) -> list[Explanation | Rejection]:
        """What explains some pictures; runs in threads."""
        return [self._explain(open_picture(picture, self._scorer.views)) for picture in pictures]

    def _explain(self, opened: Opened | Rejection) -> Explanation | Rejection:
        if isinstance(opened, Rejection):
            return opened
        shown = self._scorer.needs.view
        parts = parts_of(opened, shown, self.draws, self._scorer.views)
        scores, added = contributions(self._scorer, parts)
        [prediction] = self._predictions(opened.path, scores[None])
        view, cells = parts.views[0].pixels, parts.cells[0]
        return Explanation(prediction, shown, parts.picture, view, cells, parts.places, parts.instead, added)

    def _predictions(self, path: str | None, scores: Float64[np.ndarray, "n draws"]) -> list[Prediction]:
        """Predictions of one picture, a row of scores each."""
        run = self.run
        names = {name: run[name] for name in ("detector", "training_set", "train_condition", "seed", "run_id")}
        names |= {"sha256": run["detector_sha256"], "version": self._version}
        names["world"] = run["origin"].partition(":")[0]
        rows = zip(*(ends.tolist() for ends in pooled(scores)), strict=True)
        return [
            Prediction(path, score, low, high, decide(low, high, self.threshold), self.threshold, self.draws, **names)
            for score, low, high in rows
        ]


def _all_scored(said: Iterable[Said | Rejection]) -> list[Said]:
    """What is said of pictures, if something is of all of them.

    Raises:
        ValueError: naming those of which nothing is, with reasons.
    """
    scored: list[Said] = []
    bad: list[Rejection] = []
    for one in said:
        if isinstance(one, Rejection):
            bad.append(one)
        else:
            scored.append(one)
    if bad:
        lines = "\n".join(f"  {one.path or 'an open picture'}: {one.reason}" for one in bad)
        raise ValueError(f"{len(bad)} of {len(bad) + len(scored)} pictures cannot be scored:\n{lines}")
    return scored
