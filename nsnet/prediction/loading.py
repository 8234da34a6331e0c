"""From the name of a detector to one that scores: its run, its file, and the backbone that it was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from nsnet.core.device import best_device
from nsnet.core.names import unknown
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.settings import load_section
from nsnet.detectors.files import load_detector
from nsnet.detectors.registry import detector_class, settings_class
from nsnet.evaluation.sources import ScoringSource
from nsnet.features import settings as sections
from nsnet.features.backbone import Backbone, load_backbone
from nsnet.features.settings import TRANSFORMERS
from nsnet.features.views import VIEWS_VERSION, ViewSettings
from nsnet.features.weights import FOLDER
from nsnet.prediction.folders import MODEL, is_detector_folder, read_folder
from nsnet.prediction.predictor import Predictor
from nsnet.prediction.scorer import Scorer
from nsnet.training.contracts import Runs
from nsnet.training.exports import SHIPPED

ORDER = ["detector", "training_set", "train_condition", "seed"]
DEFAULT = "nsnet"


@dataclass(frozen=True)
class Trained:
    """Detectors that there are.

    Attributes:
        paths: folder of their table and files.
        runs: the table runs, sorted by name, training set, condition and seed.
        root: folder that relative names of weights are below.
        alone: folder of the only one (nsnet.prediction.folders); None where they are a project's, or exported ones.
    """

    paths: Paths
    runs: pl.DataFrame
    root: Path
    alone: Path | None = None

    def file(self, run_id: str) -> Path:
        """The file of a detector."""
        return self.alone / MODEL if self.alone else self.paths.detectors / f"{run_id}.safetensors"


def trained_detectors(project: Path | None = None, detectors: Path | None = None) -> Trained:
    """The detectors of a folder, else of a project, else the three of the lab that ship.

    Args:
        project: folder of a project; None is the one that this process works in, if it has detectors.
        detectors: folder that `nsnet runs export` or `nsnet detectors save` wrote.

    Returns:
        The detectors.

    Raises:
        FileNotFoundError: the folder that was named has no table runs.
        ValueError: the table is damaged.
    """
    mine = Paths(project or Path())
    if detectors and is_detector_folder(detectors):
        return Trained(Paths(detectors), read_folder(detectors)[0], mine.root, detectors)
    named = Paths(detectors) if detectors else mine
    paths = named if detectors or project or mine.table(Runs).exists() else SHIPPED
    return Trained(paths, read_table(Runs, paths.table(Runs)).sort(ORDER), mine.root)


def choose_run(
    runs: pl.DataFrame,
    detector: str | None = None,
    training_set: str | None = None,
    train_condition: str | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """The one run that is meant.

    Args:
        runs: the table runs.
        detector: name; if left out, the only one, or else the one called nsnet.
        training_set, train_condition: may be left out where the detector has one only.
        seed: the lowest if left out.

    Returns:
        Its row.

    Raises:
        ValueError: there is none of that name, or several are meant, with what there is.
    """
    names = runs["detector"].unique()
    detector = detector or (names[0] if len(names) == 1 else DEFAULT)
    asked = {"detector": detector, "training_set": training_set, "train_condition": train_condition, "seed": seed}
    for column, name in asked.items():
        known = runs[column].unique().sort().to_list()
        words = column.replace("_", " ")
        if name is None:
            if column != "seed" and len(known) > 1:
                raise ValueError(
                    f"{detector} was trained with more than one {words}: {', '.join(known)}; choose one with"
                    f" --{column.replace('_', '-')} ({column}=... in Python)"
                )
            name = known[0]
        if name not in known:
            raise unknown(words, str(name), map(str, known))
        runs = runs.filter(pl.col(column) == name)
    return runs.to_dicts()[0]


def find(
    detector: str | None,
    training_set: str | None,
    train_condition: str | None,
    seed: int | None,
    project: Path | str | None,
    detectors: Path | str | None,
) -> tuple[Trained, dict[str, Any]]:
    """The detector that is meant, not loaded.

    Args:
        detector, training_set, train_condition, seed, project, detectors: as `load`.

    Returns:
        The detectors that it is one of, and its row of the table runs.

    Raises:
        FileNotFoundError, ValueError: as `trained_detectors` and `choose_run`.
    """
    if detector and not detectors and is_detector_folder(Path(detector)):
        detector, detectors = None, detector
    trained = trained_detectors(Path(project) if project else None, Path(detectors) if detectors else None)
    return trained, choose_run(trained.runs, detector, training_set, train_condition, seed)


def load(
    detector: str | None = None,
    *,
    training_set: str | None = None,
    train_condition: str | None = None,
    seed: int | None = None,
    project: Path | str | None = None,
    detectors: Path | str | None = None,
    draws: int = 8,
    threshold: float | None = None,
    workers: int | None = None,
) -> Predictor:
    """Load a trained detector that scores pictures: `nsnet.load("nsnet").predict("a.jpg")`.

    Args:
        detector: name, as `nsnet detectors` lists them, or a folder that `nsnet detectors save` wrote; if left out,
            as `choose_run`.
        training_set, train_condition, seed: as `choose_run`.
        project, detectors: folders, as `trained_detectors`.
        draws: mosaics of each picture; other views have one.
        threshold: a score from here on is called fake; None takes the run's own.
        workers: threads that decode and score; one a core if None.

    Returns:
        The detector, on the GPU if there is one.

    Raises:
        FileNotFoundError: no detectors, or no file of this one.
        ImportError: its backbone needs a package that is not installed.
        ValueError: no or several such detectors; a damaged file; a backbone that cannot be had, or is another one.
    """
    trained, run = find(detector, training_set, train_condition, seed, project, detectors)
    record, device = json.loads(run["backbone"]), best_device()
    kind = detector_class(run["kind"])
    needs = kind.needs(settings_class(run["kind"]).model_validate(json.loads(run["params"])))
    source = ScoringSource(trained.paths, trained.root, {}, partial(_backbone, record, trained.root, device))
    tower = partial(source.tower, record)
    loaded = load_detector(trained.file(run["run_id"]), run["detector_sha256"], record, tower)
    loaded.module().to(device)
    backbone = tower() if needs.reads == "features" else None
    return Predictor(Scorer(loaded, needs, _views(record), backbone, device), run, draws, threshold, workers)


def _views(record: Mapping[str, Any]) -> ViewSettings:
    """How a backbone is shown pictures; no model is loaded to know it.

    Raises:
        ValueError: this version shows them otherwise.
    """
    if record["views_version"] != VIEWS_VERSION:
        raise ValueError(
            f"the detector was trained on views of version {record['views_version']}, this nsnet makes"
            f" {VIEWS_VERSION}: run `dvc repro train`"
        )
    return ViewSettings(**{field.name: record[field.name] for field in fields(ViewSettings)})


def _backbone(record: Mapping[str, Any], root: Path, device: str) -> Backbone:
    """The backbone of a record, whose weights lie where its project says.

    The record says all but where a file of weights lies, or a folder of transformers: those
    are looked up in the project's params.yaml. Relative names are below the project, not
    below the folder that this process works in.
    """
    located = record["weights"] != "file" and not record["model"].startswith(TRANSFORMERS)
    if located:
        names = sections.Backbone.model_fields.keys() & record.keys()
        section = sections.Backbone(**{name: record[name] for name in names}, sha256=None)
    else:
        section = load_section(Paths(root).params, "backbone", sections.Backbone)
    moved: dict[str, Any] = {}
    for prefix in (FOLDER, TRANSFORMERS):
        if section.model.startswith(prefix):
            moved["model"] = f"{prefix}{root / section.model.removeprefix(prefix)}"
    if section.weights is not None and (root / section.weights).is_file():
        moved["weights"] = str(root / section.weights)
    backbone = load_backbone(section.model_copy(update=moved), device)
    if section.model.startswith(FOLDER):  # whose record has the name that params.yaml gives it
        backbone = replace(backbone, record={**backbone.record, "model": section.model})
    return backbone
