"""What params.yaml asks to be trained, as values with an identity."""

from __future__ import annotations

import hashlib
import inspect
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nsnet.core.provenance import PACKAGE, code_checksum, digest, file_sha256
from nsnet.detectors.protocol import Context, Needs
from nsnet.detectors.registry import detector_class
from nsnet.detectors.settings import DetectorSettings
from nsnet.features.conditions import Condition
from nsnet.semantics.null_space import Bases, Directions, no_directions
from nsnet.training.companions import Companions
from nsnet.training.runner import Compute, resolve
from nsnet.training.sets import TrainingSet
from nsnet.training.settings import Train

# What trains a detector, beside the module of its own kind.
CODE = (
    "features",
    "semantics",
    "training",
    "detectors/files.py",
    "detectors/head.py",
    "detectors/losses.py",
    "detectors/protocol.py",
    "detectors/temperature.py",
    "detectors/thresholds.py",
)


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
        context: what it is built from, but for what must be loaded first (nsnet.training.examples.Material.context).
        companions: captioned pictures that it may look at.
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
    companions: Companions
    code: str
    run_id: str

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"{self.detector} on {self.pictures.title}, {self.condition.name}, seed {self.seed}"


def plan(
    train: Train,
    sets: list[TrainingSet],
    conditions: Mapping[str, Condition],
    backbone: NamedBackbone,
    bases: Bases,
    companions: Companions,
) -> list[Training]:
    """Everything that params.yaml asks for, sorted as in the table runs.

    Args:
        train: the section train.
        sets: the corpus's training sets.
        conditions: by name, those of train.conditions at least.
        backbone: whose features are read.
        bases: the directions of every null space.
        companions: captioned pictures beside the training sets.

    Returns:
        The trainings.

    Raises:
        ValueError: files, directions or pictures that a detector is made from are missing, draws of a training set
            that no seed trains on, or two trainings that are the same.
    """
    trainings: list[Training] = []
    faults = [fault for name in sorted(train.detectors) for fault in _untrained(sets, name, train.seeds_of(name))]
    for name in sorted(train.detectors):
        settings = train.detectors[name].canonical()
        needs = detector_class(settings.kind).needs(settings)
        missing = [str(file) for file in needs.files if not file.is_file()]
        if missing:
            faults.append(f"  train.detectors.{name}: {', '.join(missing)} does not exist")
            continue
        compute, code = resolve(train.runtime, needs), kind_code(settings.kind)
        shared = {
            "settings": settings.model_dump(mode="json"),
            "files": [file_sha256(file) for file in needs.files],
            "backbone": backbone.id,
            "precision": compute.precision,
            "accumulate": compute.accumulate,
            "code": code,
        }
        # Each process draws numbers of its own.
        shared |= {"devices": compute.devices} if compute.devices > 1 else {}
        for pictures, asked, seed in itertools.product(sets, train.conditions, train.seeds_of(name)):
            if not pictures.trains(seed):
                continue
            condition = conditions[asked]
            try:
                basis = _directions(bases, needs, backbone.width, pictures.name, asked)
                beside = companions.identity(needs)
            except ValueError as error:
                faults.append(f"  train.detectors.{name}: {error}")
                break
            own = {"data": pictures.checksum, "condition": condition.id, "seed": seed, "basis": _basis(basis, needs)}
            own |= {"beside": beside} if beside else {}
            context = Context(backbone.record, backbone.width, basis, seed)
            known = (name, settings, pictures, condition, seed, needs, compute, context, companions, code)
            trainings.append(Training(*known, run_id=digest(shared | own)))
    faults += _twins(trainings)
    if faults:
        raise ValueError("the trainings of params.yaml cannot be planned:\n" + "\n".join(faults))
    return sorted(trainings, key=lambda one: (one.pictures.name, one.condition.name, one.detector, one.seed))


def _untrained(sets: list[TrainingSet], detector: str, seeds: list[int]) -> Iterator[str]:
    """Draws of training sets that no seed of a detector trains on."""
    for pictures in sets:
        if not any(pictures.trains(seed) for seed in seeds):
            yield (
                f"  train.detectors.{detector}: no seed trains on {pictures.title}; expected {pictures.draws} seeds,"
                " 0 and up, or fewer draws in corpus.protocols"
            )


def kind_code(kind: str) -> str:
    """Checksum of the code that trains a kind, or scores with it: of its file, or its folder, and what all stand on.

    Args:
        kind: in the registry; of another package its file counts.

    Returns:
        First 12 hex digits of a hash.

    Raises:
        ValueError: as `detector_class`.
    """
    source = Path(inspect.getfile(detector_class(kind))).resolve()
    if source.is_relative_to(PACKAGE):
        own = source if source.parent.name == "detectors" else source.parent
        return code_checksum(*CODE, own.relative_to(PACKAGE).as_posix())
    return digest([code_checksum(*CODE), file_sha256(source)])


def _directions(bases: Bases, needs: Needs, width: int, training_set: str, condition: str) -> Directions:
    if needs.basis == "nothing":
        return no_directions(width)
    if needs.basis == "rank":
        return bases.of_control(training_set, condition, needs.view)
    return bases.of(needs.null_space, training_set, condition, needs.view)


def _basis(basis: Directions, needs: Needs) -> str | int | None:
    """What of the directions determines a run."""
    if needs.basis == "directions":
        return hashlib.sha256(basis.vectors.tobytes() + basis.duals.tobytes()).hexdigest()
    return len(basis) if needs.basis == "rank" else None


def _twins(trainings: list[Training]) -> Iterator[str]:
    first: dict[str, Training] = {}
    for training in trainings:
        twin = first.setdefault(training.run_id, training)
        if twin is not training:
            same = f"the same pictures, condition and settings as {twin.title}"
            yield f"  {training.title}: {same}; leave one of them out"
