"""Stage train: every detector of params.yaml on every training set of the corpus."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from typing import Any

import numpy as np
import polars as pl

from nsnet.core.contracts import make
from nsnet.core.device import best_device
from nsnet.core.files import atomic_path
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.core.provenance import data_checksum, digest, file_sha256, git_revision
from nsnet.core.world import describe
from nsnet.corpus.contracts import Images, Samples
from nsnet.detectors import make_detector
from nsnet.detectors.protocol import Detector, Split, save_weights
from nsnet.features.backbone import load_backbone, under_conditions
from nsnet.features.inputs import Inputs
from nsnet.params import load_params
from nsnet.semantics.contracts import SemanticBasis
from nsnet.training.contracts import Runs


def load_split(
    samples: pl.DataFrame, training_set: str, split: str, detector: Detector, view: str, inputs: Inputs
) -> Split:
    """Inputs and labels of one split of one training set, in image order.

    Raises:
        ValueError: if the split lacks reals or fakes.
    """
    rows = samples.filter(split=split, training_set=training_set).sort("image_id")
    labels = rows["label"].to_numpy().astype(np.int64)
    if len(set(labels.tolist())) < 2:
        raise ValueError(
            f"split {split} of training set {training_set} has {int((labels == 0).sum())} real and"
            f" {int((labels == 1).sum())} fake images; both are needed"
        )
    return Split(inputs.get(detector.reads, view, rows["image_id"].to_list()), labels)


def main() -> None:
    paths = Paths()
    params = load_params(paths.params)
    settings = params.train
    samples = read_table(Samples, paths.table(Samples))
    images = read_table(Images, paths.table(Images)).filter(status="used")
    basis_rows = read_table(SemanticBasis, paths.table(SemanticBasis))
    basis = np.array(basis_rows.filter("retained").sort("k")["vector"].to_list()).reshape(-1, basis_rows.height)
    backbones = under_conditions(load_backbone(params.backbone, best_device()), params.corpus.harmonise)
    files = {image_id: paths.data / name for image_id, name in images.select("image_id", "path").iter_rows()}
    common = {
        "seed": settings.seed,
        "git_revision": git_revision(),
        "data_checksum": data_checksum(paths.table(Samples)),
        "world": describe(samples["suite"].unique().to_list(), params.backbone.model),
        "device": best_device(),
    }
    semantics = {"rank": len(basis), "basis": file_sha256(paths.table(SemanticBasis))[:12]}
    training_sets = samples.filter(split="train")["training_set"].unique().sort().to_list()
    rows: list[dict[str, Any]] = []
    seconds: dict[str, float] = {}
    shutil.rmtree(paths.detectors, ignore_errors=True)
    trainings = list(itertools.product(backbones, training_sets, settings.detectors))
    shown = {condition: Inputs(paths, files, backbone) for condition, backbone in backbones.items()}
    with cost(paths.cost("train")), bar("train", len(trainings)) as advance:
        for condition, training_set, name in trainings:
            start = time.perf_counter()
            choice, inputs = settings.detectors[name], shown[condition]
            saved = {
                "detector": choice.model_dump(),
                "train": settings.fitting.model_dump(),
                "semantics": semantics,
                "training_set": training_set,
            }
            run_id = digest([name, saved, common["data_checksum"], inputs.backbone.id])
            detector = make_detector(choice, settings.fitting, basis)
            chosen = detector.fit(
                load_split(samples, training_set, "train", detector, choice.view, inputs),
                load_split(samples, training_set, "validation", detector, choice.view, inputs),
                settings.seed,
            )
            save_weights(detector, paths.detectors / f"{run_id}.safetensors", saved)
            rows.append(
                {
                    "run_id": run_id,
                    "detector": name,
                    "training_set": training_set,
                    "condition": condition,
                    "kind": choice.kind,
                    "view": choice.view,
                    "null_space": choice.null_space,
                    "contrastive": choice.contrastive,
                    **common,
                    "backbone_id": inputs.backbone.id,
                    "backbone": json.dumps(inputs.backbone.record, sort_keys=True),
                    "params": json.dumps(saved, sort_keys=True),
                    "chosen": json.dumps(chosen, sort_keys=True),
                    "validation_acc": chosen["validation_acc"],
                }
            )
            seconds[run_id] = round(time.perf_counter() - start, 3)
            advance(1)
        write_table(Runs, make(Runs, rows), paths.table(Runs))
    with atomic_path(paths.cost("runs")) as temporary:
        temporary.write_text(json.dumps(seconds, indent=2) + "\n")
    print(f"train: {len(rows)} runs, slowest {max(seconds.values()):.1f} s")
