"""What tests of detectors and trainings share: settings, labelled inputs and fakes of what feeds a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nsnet.core.provenance import digest
from nsnet.detectors.protocol import Context, Examples, Scores
from nsnet.detectors.settings import CnnSettings, LinearSettings
from nsnet.features.conditions import Condition
from nsnet.semantics.null_space import orthonormal
from nsnet.training.companions import Companions
from nsnet.training.examples import FeatureExamples, PixelExamples
from nsnet.training.runner import Compute, Runner

WIDTH = 12
BASIS = np.eye(WIDTH)[:3]  # the first three dimensions are semantic
RECORD = {"model": "lab-clip", "weights": None, "space": "projected"}
CPU = Compute("cpu", "32-true", 1)
CLEAN = Condition("clean")
NOBODY = Companions(
    pl.DataFrame({"image_id": [], "caption": []}),
    pl.DataFrame({"image_id": [], "label": []}),
    (),
    None,
    lambda: lambda captions: np.zeros((len(captions), WIDTH), np.float32),
)
LINEAR = {"epochs": 4, "batch": 16, "lr": 0.01, "bce_weight": 0.2, "temperature": 0.07, "weight_decay": [0.01, 1.0]}
CNN = {"epochs": 1, "batch": 8, "lr": 0.01, "weight_decay": 0.0001}
DETECTORS = {
    "nsnet": {"view": "mosaic", "null_space": "text", "adapter": True, "contrastive": True},
    "plain": {"view": "crop"},
    "random": {"view": "crop", "null_space": "random"},
}


def linear(**values: Any) -> LinearSettings:
    shared = {"epochs": 60, "batch": 64, "lr": 0.01, "bce_weight": 0.2, "temperature": 0.07}
    return LinearSettings.model_validate({"view": "mosaic", "weight_decay": [0.01, 1.0], **shared, **values})


def cnn(**values: Any) -> CnnSettings:
    return CnnSettings.model_validate({"epochs": 12, "batch": 32, "lr": 0.01, "weight_decay": 1e-4, **values})


def context(seed: int = 0, basis: npt.NDArray[np.float64] = BASIS) -> Context:
    return Context(RECORD, WIDTH, orthonormal(basis), seed)


def features(rng: np.random.Generator, count: int, semantic: float) -> tuple[npt.NDArray[np.float32], Any]:
    """Labels show weakly in dimension 5 and, as strongly as `semantic` says, in dimension 0."""
    labels = rng.integers(0, 2, count)
    rows = rng.standard_normal((count, WIDTH)) * 0.3
    rows[:, 5] += 0.5 * (2 * labels - 1)
    rows[:, 0] += semantic * (2 * labels - 1)
    return rows.astype(np.float32), labels.astype(np.int64)


def pictures(rng: np.random.Generator, count: int) -> PixelExamples:
    """Noise of 32 x 32 pixels; every second row of a fake repeats the one above."""
    labels = rng.integers(0, 2, count)
    pixels = rng.integers(0, 255, (count, 32, 32, 3), dtype=np.uint8)
    pixels[labels == 1, 1::2] = pixels[labels == 1, ::2]
    return PixelExamples([pixels], labels)


def examples(rows: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> FeatureExamples:
    return FeatureExamples([rows], labels)


def scored(detector: Any, shown: Examples, batch: int = 100) -> Scores:
    found: Scores = detector.score(Runner(CPU, 0).batches(shown, batch))
    return found


@dataclass
class FakeBackbone:
    """A backbone by its facts, without the model."""

    record: dict[str, Any] = field(default_factory=lambda: dict(RECORD))
    width: int = WIDTH

    @property
    def id(self) -> str:
        return digest(self.record)


class FakeFeatures:
    """Features that depend on the picture's name alone, as a table would give them; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []

    def matrix(
        self, backbone_id: str, condition: str, view: str, draw: int, image_ids: Sequence[str]
    ) -> npt.NDArray[np.float32]:
        self.asked.append((condition, view, draw))
        rows = []
        for image_id in image_ids:
            rng = np.random.default_rng([*image_id.encode(), draw])
            row = rng.standard_normal(WIDTH) * 0.3
            row[5] += 0.5 if image_id.startswith("f") else -0.5
            rows.append(row)
        return np.array(rows, np.float32)


def sample_rows(
    training_set: str, train: int, validation: int, test: int = 0, suite: str = "lab"
) -> list[dict[str, Any]]:
    """Rows of the table samples: as many reals as fakes in each split."""
    rows: list[dict[str, Any]] = []
    for split, count in (("train", train), ("validation", validation), ("test", test)):
        for number in range(count):
            for label, letter in enumerate("rf"):
                rows.append(
                    {
                        "image_id": f"{letter}-{training_set}-{split}-{number}",
                        "suite": suite,
                        "generator": "camera" if label == 0 else "maker",
                        "family": "real" if label == 0 else "gan",
                        "label": label,
                        "split": split,
                        "training_set": None if split == "test" else training_set,
                        "real_pool": "camera",
                        "in_domain_for": [],
                        "class_name": None,
                        "caption": f"a photo of thing {number % 5}",
                        "caption_source": "scene",
                        "source": None,
                        "cluster": None,
                        "draw": None,
                    }
                )
    return rows


def samples(*parts: list[dict[str, Any]]) -> pl.DataFrame:
    from nsnet.core.contracts import make
    from nsnet.corpus.contracts import Samples

    return make(Samples, [row for part in parts for row in part])


class Stopped(BaseException):
    """As a kill, nothing catches it."""


def section(detectors: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The section train of params.yaml with three detectors."""
    runtime = {"accelerator": "auto", "precision": "32-true", "accumulate": 1}
    shared = {"linear": dict(LINEAR), "cnn": dict(CNN)}
    values = {"seeds": [0, 1], "conditions": ["clean"], "runtime": runtime, "defaults": shared}
    return {**values, "detectors": detectors or DETECTORS, **changes}
