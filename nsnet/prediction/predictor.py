"""Pictures to predictions: read, decoded and scored in threads, a bad file named and passed over.

As in nsnet.features.extraction, a thread does whole groups and torch gets its share of the cores: passes
that want all cores beside threads that decode took ten times as long on a busy machine.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float64
from PIL import Image

import nsnet
from nsnet.corpus.images import to_rgb
from nsnet.corpus.inspection import MINIMUM_SIDE
from nsnet.features.ahead import ahead
from nsnet.features.conditions import CLEAN
from nsnet.features.pictures import Key, PictureSource, ReplacedPicture
from nsnet.features.views import View, make_view
from nsnet.prediction.draws import decide, pooled
from nsnet.prediction.inputs import PictureFile
from nsnet.prediction.predictions import Prediction, Rejection
from nsnet.prediction.scorer import Scorer

if TYPE_CHECKING:
    from nsnet.prediction.classifier import PictureClassifier

# Of arrays, only pixels are scored: another type or shape is said of each picture, with what was expected.
Picture = str | Path | Image.Image | PictureFile | npt.NDArray[np.generic]
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
        said = list(self.stream([pictures] if alone else pictures))
        scored = [one for one in said if isinstance(one, Prediction)]
        if len(scored) < len(said):
            bad = [one for one in said if isinstance(one, Rejection)]
            lines = "\n".join(f"  {one.path or 'an open picture'}: {one.reason}" for one in bad)
            raise ValueError(f"{len(bad)} of {len(said)} pictures cannot be scored:\n{lines}")
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
        with warnings.catch_warnings():
            # Decoding catches warnings in each thread, and threads that end in another order than they began leave
            # their filters behind: leaving this block puts back those that were there.
            groups = self._groups(pictures)
            first = list(itertools.islice(groups, 2))
            groups = itertools.chain(first, groups)
            if len(first) < 2 or self._workers == 1:  # one group alone has all cores
                for group in groups:
                    yield from self._said(group)
                return
            share = max(1, (os.cpu_count() or 1) // self._workers)
            # OpenMP keeps a thread count for each thread.
            with ThreadPoolExecutor(self._workers, initializer=torch.set_num_threads, initargs=(share,)) as pool:
                for said in ahead(pool, self._said, groups, self._workers + 1):
                    yield from said

    def _groups(self, pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
        rest = iter(pictures)
        while group := list(itertools.islice(rest, max(1, TOGETHER // self.draws))):
            yield group

    def _said(self, pictures: Sequence[Picture]) -> list[Prediction | Rejection]:
        """What is said of a group of pictures; runs in threads."""
        shown = [self._show(picture) for picture in pictures]
        views = [view for one in shown if isinstance(one, _Shown) for view in one.views]
        scores = self._scorer.score(views).reshape(-1, self.draws) if views else np.empty((0, self.draws))
        rows = zip(*(ends.tolist() for ends in pooled(scores)), strict=True)
        return [self._prediction(one.path, *next(rows)) if isinstance(one, _Shown) else one for one in shown]

    def _show(self, picture: Picture) -> _Shown | Rejection:
        """The views of a picture, or what is wrong with it."""
        keys = [Key(self._scorer.needs.view, draw) for draw in range(self.draws)]
        if isinstance(picture, Image.Image | np.ndarray):
            return self._show_open(picture, keys)
        file = picture if isinstance(picture, PictureFile) else PictureFile(Path(picture))
        found = file.inspect()
        if found.status != "used" or found.image_id is None:
            return Rejection(file.shown, str(found.reason))
        source = PictureSource({found.image_id: file.path}, self._scorer.views)
        try:
            return _Shown(file.shown, source.views(found.image_id, CLEAN, keys))
        except ReplacedPicture:
            return Rejection(file.shown, "unreadable: it changed while it was read")

    def _show_open(self, picture: Image.Image | npt.NDArray[np.generic], keys: Sequence[Key]) -> _Shown | Rejection:
        if isinstance(picture, np.ndarray):
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
                return Rejection(None, f"expected pixels, uint8 (h, w, 3), got {picture.dtype} {picture.shape}")
            pixels, (height, width) = picture.astype(np.uint8, copy=False), picture.shape[:2]
        else:
            width, height = picture.size
        if min(width, height) < MINIMUM_SIDE:
            return Rejection(None, f"too small: {width} x {height}, at least {MINIMUM_SIDE} a side")
        if isinstance(picture, Image.Image):
            try:
                pixels = to_rgb(picture)
            except (OSError, SyntaxError, ValueError) as error:  # it may have been opened, and not yet decoded
                return Rejection(None, f"cannot be decoded: {error}")
        name = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        return _Shown(None, [make_view(key.view, pixels, name, key.draw, self._scorer.views) for key in keys])

    def _prediction(self, path: str | None, score: float, low: float, high: float) -> Prediction:
        run, decision = self.run, decide(low, high, self.threshold)
        names = {name: run[name] for name in ("detector", "training_set", "train_condition", "seed", "run_id")}
        names |= {"sha256": run["detector_sha256"], "version": self._version}
        names["world"] = run["origin"].partition(":")[0]
        return Prediction(path, score, low, high, decision, self.threshold, self.draws, **names)
