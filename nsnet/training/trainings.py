"""What params.yaml asks to be trained, as values with an identity; and the training of what is not there yet."""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl

from nsnet.core.device import one_thread
from nsnet.core.origin import describe
from nsnet.core.provenance import PACKAGE, code_checksum, digest, file_sha256
from nsnet.detectors.files import save_detector
from nsnet.detectors.protocol import Context, Needs
from nsnet.detectors.registry import detector_class
from nsnet.detectors.settings import DetectorSettings
from nsnet.detectors.thresholds import balanced_accuracy, choose_threshold
from nsnet.features.conditions import Condition
from nsnet.training.examples import Material
from nsnet.training.runner import Compute, Runner, resolve
from nsnet.training.runs import RunStore
from nsnet.training.sets import TrainingSet
from nsnet.training.settings import Train

# What trains a detector, beside the module of its own kind.
CODE = (
    "features",
    "semantics",
    "training",
    "detectors/files.py",
    "detectors/losses.py",
    "detectors/protocol.py",
    "detectors/thresholds.py",
)
# Validation pictures scored at a time.
ROWS = {"features": 4096, "pixels": 256}
Bases = Mapping[str, npt.NDArray[np.float64]]


@runtime_checkable
class NamedBackbone(Protocol):
    """What a training must know of the backbone: nsnet.features.backbone.Backbone, or its facts without the model."""

    @property
    def record(self) -> dict[str, Any]: ...

    @property
    def id(self) -> str: ...

    @property
    def width(self) -> int: ...


@dataclass(frozen=True)
class Training:
    """One detector, trained on one training set under one condition with one seed.

    Attributes:
        detector: name in params.yaml; no part of the identity.
        settings: less what changes nothing (`DetectorSettings.canonical`).
        pictures: the training set.
        condition: what the pictures are shown under.
        seed: of order, initial weights and random directions.
        needs: what the detector is given.
        compute: device, precision and accumulation.
        context: what it is built from.
        code: checksum of the code that trains it.
        run_id: hash of all that determines the result.
    """

    detector: str
    settings: DetectorSettings
    pictures: TrainingSet
    condition: Condition
    seed: int
    needs: Needs
    compute: Compute
    context: Context
    code: str
    run_id: str

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"{self.detector} on {self.pictures.name}, {self.condition.name}, seed {self.seed}"


def plan(
    train: Train, sets: list[TrainingSet], conditions: Mapping[str, Condition], backbone: NamedBackbone, bases: Bases
) -> list[Training]:
    """Everything that params.yaml asks for, sorted as in the table runs.

    Args:
        train: the section train.
        sets: the corpus's training sets.
        conditions: by name, those of train.conditions at least.
        backbone: whose features are read.
        bases: semantic basis of each training set, float64 (r, d).

    Returns:
        The trainings.

    Raises:
        ValueError: a file that a detector is made from is missing, or two trainings are one and the same.
    """
    trainings: list[Training] = []
    faults = []
    for name in sorted(train.detectors):
        settings = train.detectors[name].canonical()
        needs = detector_class(settings.kind).needs(settings)
        missing = [str(file) for file in needs.files if not file.is_file()]
        if missing:
            faults.append(f"  train.detectors.{name}: {', '.join(missing)} does not exist")
            continue
        compute, code = resolve(train.runtime, needs), _code(settings.kind)
        shared = {
            "settings": settings.model_dump(mode="json"),
            "files": [file_sha256(file) for file in needs.files],
            "backbone": backbone.id,
            "precision": compute.precision,
            "accumulate": compute.accumulate,
            "code": code,
        }
        for pictures, asked, seed in itertools.product(sets, train.conditions, train.seeds_of(name)):
            condition, basis = conditions[asked], bases[pictures.name]
            own = {"data": pictures.checksum, "condition": condition.id, "seed": seed, "basis": _basis(basis, needs)}
            context = Context(backbone.record, backbone.width, basis, seed)
            run_id = digest(shared | own)
            trainings.append(Training(name, settings, pictures, condition, seed, needs, compute, context, code, run_id))
    faults += _twins(trainings)
    if faults:
        raise ValueError("the trainings of params.yaml cannot be planned:\n" + "\n".join(faults))
    return sorted(trainings, key=lambda one: (one.pictures.name, one.condition.name, one.detector, one.seed))


def train_missing(
    trainings: list[Training], store: RunStore, material: Material, advance: Callable[[int], None]
) -> tuple[dict[str, dict[str, Any]], int]:
    """Train what the store lacks, each run kept as soon as it is done: a killed call goes on where it was.

    Args:
        trainings: from `plan`.
        store: where runs are kept.
        material: their examples.
        advance: told one for each training, kept or new.

    Returns:
        Facts of each run by run_id (nsnet.training.runs), and how many were trained now.
    """

    def shown(one: Training) -> tuple[Any, ...]:
        return one.pictures.name, one.condition.name, one.needs.reads, one.needs.view, one.needs.draws

    kept: dict[str, dict[str, Any]] = {}
    trained = 0
    for training in sorted(trainings, key=shown):  # those of the same examples one after the other
        facts = store.find(training.run_id)
        if facts is None:
            facts = _train(training, store, material)
            trained += 1
        kept[training.run_id] = facts
        advance(1)
    return kept, trained


def run_row(training: Training, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table runs: names as params.yaml has them now, figures as the run was kept.

    Args:
        training: as planned.
        facts: kept with its run.

    Returns:
        Values by column.
    """
    record, settings = training.context.backbone, training.settings
    return {
        "run_id": training.run_id,
        "detector": training.detector,
        "training_set": training.pictures.name,
        "train_condition": training.condition.name,
        "seed": training.seed,
        "kind": settings.kind,
        "view": settings.view,
        "null_space": getattr(settings, "null_space", "none"),
        "adapter": getattr(settings, "adapter", False),
        "contrastive": getattr(settings, "contrastive", False),
        "params": json.dumps(settings.model_dump(mode="json", exclude={"seeds"}), sort_keys=True),
        **{name: facts[name] for name in ("chosen", "threshold", "validation_acc", "device", "precision")},
        "detector_sha256": facts["detector_sha256"],
        "code_checksum": training.code,
        "data_checksum": training.pictures.checksum,
        "backbone_id": digest(dict(record)),
        "backbone": json.dumps(dict(record), sort_keys=True),
        "origin": describe(training.pictures.suites, record["model"], record["weights"]),
    }


def _train(training: Training, store: RunStore, material: Material) -> dict[str, Any]:
    pictures, needs, compute = training.pictures, training.needs, training.compute
    train = material.examples(pictures.train, needs, training.condition)
    validation = material.examples(pictures.validation, needs, training.condition)
    start = time.perf_counter()
    runner = Runner(compute, training.seed, store.checkpoints(training.run_id))
    small = compute.device == "cpu" and needs.reads == "features"
    try:
        with one_thread() if small else nullcontext():
            detector = detector_class(training.settings.kind)(training.settings, training.context)
            chosen = dict(detector.fit(train, validation, runner))
            detector.module().eval()
            scores = detector.score(runner.batches(validation, ROWS[needs.reads]))
            threshold = choose_threshold(scores, validation.labels)
    except ValueError as error:
        raise ValueError(f"training {training.title}: {error}") from error
    detector.module().to("cpu")
    rows = pl.DataFrame({"image_id": pictures.validation.image_ids, "score": scores})
    figures = {
        "chosen": json.dumps(chosen, sort_keys=True),
        "threshold": threshold,
        "validation_acc": balanced_accuracy(scores, validation.labels),
        "device": compute.device,
        "precision": compute.precision,
        "detector_sha256": "",
    }
    facts = {
        **run_row(training, figures),
        "condition_id": training.condition.id,
        "seconds": round(time.perf_counter() - start, 3),
    }

    def save(file: Path) -> str:
        return save_detector(detector, training.settings, training.context, file)

    return store.keep(training.run_id, facts, save, rows)


def _basis(basis: npt.NDArray[np.float64], needs: Needs) -> str | int | None:
    """What of the semantic basis determines a run."""
    if needs.basis == "directions":
        return hashlib.sha256(np.ascontiguousarray(basis).tobytes()).hexdigest()
    return len(basis) if needs.basis == "rank" else None


def _code(kind: str) -> str:
    """Checksum of the code that trains a kind, of another package's too."""
    source = Path(inspect.getfile(detector_class(kind))).resolve()
    if source.is_relative_to(PACKAGE):
        return code_checksum(*CODE, source.relative_to(PACKAGE).as_posix())
    return digest([code_checksum(*CODE), file_sha256(source)])


def _twins(trainings: list[Training]) -> Iterator[str]:
    first: dict[str, Training] = {}
    for training in trainings:
        twin = first.setdefault(training.run_id, training)
        if twin is not training:
            same = f"the same pictures, condition and settings as {twin.title}"
            yield f"  {training.title}: {same}; leave one of them out"
