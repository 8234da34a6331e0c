"""params.yaml as validated objects: every fault is found before any work starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nsnet.faults import fault_lines
from nsnet.names import unknown

View = Literal["mosaic", "crop", "full"]
CaptionSource = Literal["auto", "dataset", "blip", "template"]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of params.yaml: unknown names are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lab(Section):
    """The simulated corpus (stage lab)."""

    seed: int
    bias: Annotated[float, Field(ge=0.5, le=1)]
    train_simulators: Annotated[list[str], Field(min_length=1)]
    train_per_class: Count
    validation_per_class: Count
    test_real: Count
    test_fakes: Count
    workers: Count


class Harmonise(Section):
    """One crop (size x size pixels) and one JPEG quality for every picture, whatever its label."""

    size: Count
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]


class Corpus(Section):
    """Reading the raw corpora (stage corpus)."""

    suite: str | None
    workers: Count
    allow_leakage: list[str]
    harmonise: Harmonise | None


class Audit(Section):
    """Do the files alone give the label away? (stage audit)."""

    flag_auc: Annotated[float, Field(ge=0.5, le=1)]
    seed: int


class Captions(Section):
    """Where the training captions come from (stage captions)."""

    source: CaptionSource
    template: str
    model: str | None
    batch: Count


class Backbone(Section):
    """The CLIP and the views it is shown (every stage from features on)."""

    model: str
    weights: str | None
    patch_size: Count
    grid: Count
    lowest: Count
    interpolation: Literal["bicubic", "bilinear"]


class Features(Section):
    """CLIP features of every image (stage features)."""

    views: Annotated[list[View], Field(min_length=1)]
    batch: Count
    workers: Count


class Semantics(Section):
    """The semantic basis (stage semantics); exactly one of energy, tolerance and rank is set."""

    normalise: bool
    centre: bool
    energy: Share | None
    tolerance: Share | None
    rank: Annotated[int, Field(ge=0)] | None
    batch: Count


class DetectorConfig(Section):
    """One detector: the view it gets and the parts switched on."""

    kind: Literal["linear", "cnn"] = "linear"
    view: View
    null_space: Literal["none", "text", "random"] = "none"
    contrastive: bool = False


class Fitting(Section):
    """Settings of one training, shared by all detectors and kept beside their weights."""

    seed: int
    epochs: Count
    batch: Count
    lr: Annotated[float, Field(gt=0)]
    bce_weight: Share
    temperature: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]
    cnn_epochs: Count
    cnn_batch: Count
    cnn_lr: Annotated[float, Field(gt=0)]
    cnn_weight_decay: Annotated[float, Field(ge=0)]


class Train(Fitting):
    """Training (stage train)."""

    detectors: Annotated[dict[str, DetectorConfig], Field(min_length=1)]

    @property
    def fitting(self) -> Fitting:
        """The settings without the list of detectors."""
        return Fitting.model_validate(self.model_dump(exclude={"detectors"}))


class Evaluate(Section):
    """Scores and intervals (stage evaluate)."""

    bootstrap: Count
    seed: int
    baseline: str


class Params(Section):
    """The whole of params.yaml."""

    lab: Lab
    corpus: Corpus
    audit: Audit
    captions: Captions
    backbone: Backbone
    features: Features
    semantics: Semantics
    train: Train
    evaluate: Evaluate

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        """What no section can check alone, before hours of work rather than after them."""
        faults = [*_semantics_faults(self.semantics), *_detector_faults(self.train.detectors, self.features.views)]
        if len(set(self.features.views)) < len(self.features.views):
            faults.append(f"features.views: each view once, got {', '.join(self.features.views)}")
        slots = self.backbone.grid**2
        if self.backbone.lowest > slots:
            faults.append(f"backbone.lowest: {self.backbone.lowest} of {slots} patches (grid x grid)")
        if self.evaluate.baseline not in self.train.detectors:
            faults.append(f"evaluate.baseline: {unknown('detector', self.evaluate.baseline, self.train.detectors)}")
        if faults:
            raise ValueError("\n".join(faults))
        return self


def _semantics_faults(semantics: Semantics) -> Iterator[str]:
    rules = [name for name in ("energy", "tolerance", "rank") if getattr(semantics, name) is not None]
    if len(rules) != 1:
        yield f"semantics: set exactly one of energy, tolerance and rank, leave the others null (set: {rules})"


def _detector_faults(detectors: dict[str, DetectorConfig], views: list[View]) -> Iterator[str]:
    names: dict[DetectorConfig, str] = {}
    for name, choice in detectors.items():
        place = f"train.detectors.{name}"
        if choice.kind == "cnn" and (choice.view != "mosaic" or choice.null_space != "none" or choice.contrastive):
            yield f"{place}: a cnn reads the pixels of mosaics; other views, null_space and contrastive are for linear"
        if choice.view not in views:
            yield f"{place}: view {choice.view} is not among features.views ({', '.join(views)})"
        if choice in names:
            yield f"{place}: the same settings as {names[choice]}"
        names.setdefault(choice, name)


def load_params(path: Path) -> Params:
    """Read and validate params.yaml.

    Raises:
        ValueError: the file is no YAML; or all faults at once, each with its place, what was
            expected and, for an unknown name, the nearest known ones.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        faults = fault_lines(error, Params)
        raise ValueError(f"{path} has {len(faults)} fault(s):\n" + "\n".join(faults)) from error
