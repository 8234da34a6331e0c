"""The training of what was asked for and is not there yet."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from nsnet.core.device import one_thread
from nsnet.core.environment import environment
from nsnet.core.origin import describe
from nsnet.core.provenance import digest
from nsnet.detectors.files import save_detector
from nsnet.detectors.registry import detector_class
from nsnet.detectors.temperature import fit_temperature
from nsnet.detectors.thresholds import balanced_accuracy, choose_threshold
from nsnet.training.examples import Material
from nsnet.training.runner import Runner
from nsnet.training.runs import RunStore
from nsnet.training.trainings import Training

# Validation pictures scored at a time.
ROWS = {"features": 4096, "pixels": 256}


def train_missing(
    trainings: list[Training],
    store: RunStore,
    material: Material,
    advance: Callable[[int], None],
    first: bool = True,
) -> tuple[dict[str, dict[str, Any]], int]:
    """Train what the store lacks, each run kept as soon as it is done: a killed call goes on where it was.

    Args:
        trainings: from `plan`.
        store: where runs are kept.
        material: their examples.
        advance: told one for each training, kept or new.
        first: whether this is the first of several processes (`nsnet.training.runner.launch`): it keeps the runs.

    Returns:
        Facts of each run by run_id (nsnet.training.runs), and how many were trained now.
    """

    def shown(one: Training) -> tuple[Any, ...]:
        return one.pictures.name, one.condition.name, one.needs.reads, one.needs.view, one.needs.draws

    kept: dict[str, dict[str, Any]] = {}
    trained = 0
    for training in sorted(trainings, key=shown):  # those of the same examples one after the other
        alone = training.compute.devices == 1
        if alone and not first:
            continue
        runner = Runner(training.compute, training.seed, store.checkpoints(training.run_id))
        facts = store.find(training.run_id) if first else None
        if runner.fabric.broadcast(facts is None):
            facts = _train(training, runner, store, material, first)
            trained += 1
        kept[training.run_id] = facts or {}
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
        **{name: facts[name] for name in ("chosen", "threshold", "temperature", "validation_acc")},
        **{name: facts[name] for name in ("device", "precision", "detector_sha256")},
        "code_checksum": training.code,
        "data_checksum": training.pictures.checksum,
        "backbone_id": digest(dict(record)),
        "backbone": json.dumps(dict(record), sort_keys=True),
        "origin": describe(training.pictures.suites, record["model"], record["weights"]),
    }


def _train(
    training: Training, runner: Runner, store: RunStore, material: Material, first: bool
) -> dict[str, Any] | None:
    pictures, needs, compute = training.pictures, training.needs, training.compute
    train = material.examples(pictures.train, needs, training.condition)
    validation = material.examples(pictures.validation, replace(needs, draws=1), training.condition)
    start = time.perf_counter()
    small = compute.device == "cpu" and needs.reads == "features"
    try:
        with one_thread() if small else nullcontext():
            detector = detector_class(training.settings.kind)(training.settings, material.context(training))
            chosen = dict(detector.fit(train, validation, runner))
            if not first:
                return None
            detector.module().eval()
            scores = detector.score(runner.batches(validation, ROWS[needs.reads]))
            threshold = choose_threshold(scores, validation.labels)
            temperature = fit_temperature(scores, validation.labels)
            trained_in = environment(compute.device)
    except ValueError as error:
        raise ValueError(f"training {training.title}: {error}") from error
    detector.module().to("cpu")
    rows = pl.DataFrame({"image_id": pictures.validation.image_ids, "score": scores})
    figures = {
        "chosen": json.dumps(chosen, sort_keys=True),
        "threshold": threshold,
        "temperature": temperature,
        "validation_acc": balanced_accuracy(scores, validation.labels),
        "device": compute.device,
        "precision": compute.precision,
        "detector_sha256": "",
    }
    facts = {
        **run_row(training, figures),
        "condition_id": training.condition.id,
        "environment": trained_in,
        "seconds": round(time.perf_counter() - start, 3),
        "waiting": round(runner.clock.waiting / runner.clock.total, 3) if runner.clock.total else 0.0,
    }

    def save(file: Path) -> str:
        return save_detector(detector, training.settings, training.context, file)

    return store.keep(training.run_id, facts, save, rows)
