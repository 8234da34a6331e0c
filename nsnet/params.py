"""params.yaml as a whole: all sections, and what none of them can check alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import model_validator

from nsnet.cluster.settings import Cluster
from nsnet.core.names import unknown
from nsnet.core.settings import Section, read_values, validated
from nsnet.corpus.settings import Audit, Corpus
from nsnet.detectors.settings import DetectorSettings
from nsnet.evaluation.settings import Evaluate
from nsnet.features.settings import TEXTLESS, Backbone, Conditions, Features
from nsnet.lab.settings import Lab
from nsnet.nightly.settings import Nightly
from nsnet.semantics.settings import Captions, Semantics
from nsnet.training.settings import Train


class Params(Section):
    """The whole of params.yaml."""

    lab: Lab
    corpus: Corpus
    audit: Audit
    captions: Captions
    conditions: Conditions
    backbone: Backbone
    features: Features
    semantics: Semantics
    train: Train
    evaluate: Evaluate
    nightly: Nightly
    cluster: Cluster

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        """What no section can check alone, before hours of work rather than after them."""
        faults = [
            *_semantics_faults(self.semantics),
            *_feature_faults(self.backbone, self.features),
            *_text_faults(self.backbone, self.semantics, self.train.detectors),
            *_detector_faults(self.train.detectors, self.features),
            *_unknown_names("train.conditions", "condition", self.train.conditions, self.conditions),
            *_unknown_names("evaluate.conditions", "condition", self.evaluate.conditions, self.conditions),
            *_unknown_names("evaluate.baseline", "detector", [self.evaluate.baseline], self.train.detectors),
            *_unknown_names("evaluate.shown", "detector", self.evaluate.shown, self.train.detectors),
        ]
        if faults:
            raise ValueError("\n".join(faults))
        return self


def _semantics_faults(semantics: Semantics) -> Iterator[str]:
    rules = [name for name in ("energy", "tolerance", "rank") if getattr(semantics, name) is not None]
    if len(rules) != 1:
        yield f"semantics: set exactly one of energy, tolerance and rank, leave the others null (set: {rules})"


def _feature_faults(backbone: Backbone, features: Features) -> Iterator[str]:
    if len(set(features.views)) < len(features.views):
        yield f"features.views: each view once, got {', '.join(features.views)}"
    slots = backbone.grid**2
    if backbone.lowest > slots:
        yield f"backbone.lowest: {backbone.lowest} of {slots} patches (grid x grid)"


def _text_faults(backbone: Backbone, semantics: Semantics, detectors: dict[str, DetectorSettings]) -> Iterator[str]:
    if not backbone.model.startswith(TEXTLESS):
        return
    if semantics.text is None:
        yield f"semantics.text: {backbone.model} has no text tower: name the folder of a sentence encoder, or package"
    for name, choice in detectors.items():
        if getattr(choice, "null_space", None) == "text":
            yield (
                f"train.detectors.{name}: null_space text has no meaning in the space of {backbone.model}, which has"
                " no text tower; expected cross-modal, leace or image-pca"
            )


def _detector_faults(detectors: dict[str, DetectorSettings], features: Features) -> Iterator[str]:
    names: dict[str, str] = {}
    for name, choice in detectors.items():
        place = f"train.detectors.{name}"
        if choice.view not in features.views:
            yield f"{place}: view {choice.view} is not among features.views ({', '.join(features.views)})"
        if choice.reads == "features" and choice.draws > features.draws:
            yield f"{place}: asks for {choice.draws} draws of the mosaic, features.draws makes {features.draws}"
        twin = names.setdefault(choice.canonical().model_dump_json(), name)
        if twin != name:
            yield f"{place}: the same settings as {twin}"


def _unknown_names(place: str, kind: str, asked: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    names = list(known)
    yield from (f"{place}: {unknown(kind, name, names)}" for name in asked if name not in names)


def load_params(path: Path) -> Params:
    """Read and validate params.yaml.

    Raises:
        ValueError: the file is no YAML; or all faults at once, each with its place, what was
            expected and, for an unknown name, the nearest known ones.
    """
    return validated(read_values(path), Params, str(path))
