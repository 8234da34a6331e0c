"""params.yaml as a whole: all sections, and what none of them can check alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import model_validator

from nsnet.core.names import unknown
from nsnet.core.settings import Section, read_values, validated
from nsnet.corpus.settings import Audit, Corpus
from nsnet.detectors.settings import DetectorConfig
from nsnet.evaluation.settings import Evaluate
from nsnet.features.settings import Backbone, Features, View
from nsnet.lab.settings import Lab
from nsnet.semantics.settings import Captions, Semantics
from nsnet.training.settings import Train


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
    return validated(read_values(path), Params, str(path))
