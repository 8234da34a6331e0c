"""A small evaluation from drawn scores: every table of a project, without pictures, features or trainings."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from nsnet.core.contracts import make
from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import BiasAudit, Duplicates, Images, Samples
from nsnet.evaluation.contests import contests_of, pictures_of
from nsnet.evaluation.contracts import (
    ConditionShifts,
    Differences,
    ExternalRuns,
    FlipRate,
    Means,
    Predictions,
    RealSources,
    Results,
)
from nsnet.evaluation.exams import Exams
from nsnet.evaluation.flips import flip_rates
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.statistics import Evaluation, evaluate_runs
from nsnet.features.conditions import CLEAN, condition_table
from nsnet.features.contracts import AppliedConditions, Features, Patches
from nsnet.semantics.contracts import Captions, ImageBasis, RankValidation, SemanticBasis, SemanticSpectrum
from nsnet.training.contracts import Runs

SETTINGS = Evaluate(conditions=["clean", "jpeg50"], bootstrap=60, seed=3, baseline="univfd", shown=["nsnet", "univfd"])
SETS, SEEDS = ("biased", "unbiased"), (0, 1, 2)
# name: (view, null_space, adapter, contrastive, how far it moves fakes up)
DETECTORS: dict[str, tuple[str, str, bool, bool, float]] = {
    "nsnet": ("mosaic", "text", True, True, 0.6),
    "nsnet-without-loss": ("mosaic", "text", True, False, 0.5),
    "nsnet-plain": ("mosaic", "text", False, False, 0.3),
    "univfd": ("crop", "none", False, False, 0.2),
    "univfd+random": ("crop", "random", False, False, 0.1),
}
BACKBONE = {"model": "lab-clip", "weights": None}
WIDTH = 128


def samples() -> pl.DataFrame:
    """A lab with two training sets and five generators of two families, one of them seen."""
    rows: list[dict[str, Any]] = []
    common: dict[str, Any] = {"suite": "lab", "real_pool": "real", "class_name": None, "caption": None}
    common |= dict.fromkeys(("caption_source", "source", "cluster", "draw"))
    reals = {"generator": "real", "family": "real", "label": 0, "in_domain_for": []}
    rows += [common | reals | in_test(f"real{number:02}") for number in range(24)]
    for index, generator in enumerate(("seen", "blur", "grid", "noise", "ring")):
        family = "gan" if index < 2 else "diffusion"
        facts = {
            "generator": generator,
            "family": family,
            "label": 1,
            "in_domain_for": list(SETS) if index == 0 else [],
        }
        rows += [common | facts | in_test(f"{generator}{number:02}") for number in range(8 + index)]
    for training_set in SETS:
        for number in range(12):
            fake = number % 2
            facts = {"image_id": f"val{number:02}", "split": "validation", "training_set": training_set, "label": fake}
            named = {"generator": "seen", "family": "gan"} if fake else {"generator": "real", "family": "real"}
            rows.append(common | facts | named | {"in_domain_for": list(SETS) if fake else []})
    return make(Samples, rows)


def trained_on(with_content: dict[str, int]) -> pl.DataFrame:
    """Four reals and four fakes in each training set; so many of the reals show a ring, and so many of the fakes none.

    Args:
        with_content: by training set.
    """
    facts: dict[str, Any] = {"suite": "lab", "real_pool": "real", "split": "train", "caption_source": "own"}
    facts |= dict.fromkeys(("class_name", "source", "cluster", "draw"))
    rows = []
    for training_set, count in with_content.items():
        for number in range(8):
            fake, place = number % 2, number // 2
            named = {"generator": "seen", "family": "gan"} if fake else {"generator": "real", "family": "real"}
            ring = (place >= count) if fake else (place < count)
            own = {"image_id": f"train{number}", "label": fake, "training_set": training_set}
            own |= {"in_domain_for": list(SETS) if fake else [], "caption": "a red ring" if ring else "a hill"}
            rows.append(facts | named | own)
    return make(Samples, rows)


def images(corpus: pl.DataFrame) -> pl.DataFrame:
    """A used file of every picture, and below twins/ a second one of the same bytes, which was rejected."""
    facts = {"bytes": 1000, "width": 64, "height": 64, "format": "PNG", "mode": "RGB", "jpeg_quality": None}
    facts |= {"has_exif": False, "phash": None}
    rows = []
    for image_id in corpus["image_id"].unique().sort():
        used = {"path": f"lab/{image_id}.png", "pixel_id": image_id, "status": "used", "reason": None}
        twin = {"path": f"twins/{image_id}.png", "pixel_id": None, "status": "rejected", "reason": "same bytes"}
        rows += [facts | {"image_id": image_id} | file for file in (used, twin)]
    return make(Images, rows)


def in_test(image_id: str) -> dict[str, Any]:
    return {"image_id": image_id, "split": "test", "training_set": None}


def runs(sets: tuple[str, ...] = SETS) -> pl.DataFrame:
    """Every detector on every training set with every seed; univfd has two seeds only."""
    rows = []
    for training_set in sets:
        for name, (view, null_space, adapter, contrastive, _) in DETECTORS.items():
            for seed in SEEDS[:2] if name == "univfd" else SEEDS:
                rows.append(
                    {
                        "run_id": f"{training_set}-{name}-{seed}",
                        "detector": name,
                        "training_set": training_set,
                        "train_condition": "clean",
                        "seed": seed,
                        "kind": "linear",
                        "view": view,
                        "null_space": null_space,
                        "adapter": adapter,
                        "contrastive": contrastive,
                        "params": "{}",
                        "chosen": "{}",
                        "threshold": 0.45,
                        "temperature": 1.5,
                        "validation_acc": 0.5 + seed / 10,
                        "code_checksum": "code",
                        "data_checksum": "data",
                        "backbone_id": "backbone",
                        "backbone": json.dumps(BACKBONE),
                        "origin": "LAB: simulated",
                        "device": "cpu",
                        "precision": "32-true",
                        "detector_sha256": "0" * 64,
                    }
                )
    return make(Runs, rows)


def predictions(trained: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    """Drawn scores, with some ties, of test pictures under both conditions and of validation pictures."""
    rng = np.random.default_rng(11)
    pictures = pictures_of(contests_of(corpus))
    labels = dict(corpus.select("image_id", "label").iter_rows())
    validation = corpus.filter(split="validation")["image_id"].unique().sort().to_list()
    parts = []
    for run in trained.to_dicts():
        for split, ids, condition in (
            ("validation", validation, "clean"),
            ("test", pictures, "clean"),
            ("test", pictures, "jpeg50"),
        ):
            shift = DETECTORS[run["detector"]][-1] * (0.5 if condition == "jpeg50" else 1)
            scores = [np.clip(rng.normal(0.4 + shift * labels[name] / 2, 0.25), 0, 1).round(2) for name in ids]
            parts.append(
                pl.DataFrame({"image_id": ids, "score": scores}).with_columns(
                    run_id=pl.lit(run["run_id"]), condition=pl.lit(condition), split=pl.lit(split)
                )
            )
    return pl.concat(parts).select(make(Predictions, []).columns)


def bias() -> pl.DataFrame:
    """An audit that flags one generator."""
    names = [("gan", "seen"), ("gan", "blur"), ("diffusion", "grid"), ("diffusion", "noise"), ("diffusion", "ring")]
    text = {f"{name}_{side}": "JPEG 1.00" for name in ("formats", "modes", "sizes") for side in ("real", "fake")}
    numbers = {f"{name}_{side}": 0.5 for name in ("aspect", "exif") for side in ("real", "fake")}
    facts = text | numbers | {"jpeg_quality_real": None, "jpeg_quality_fake": 90.0, "auc_low": 0.4, "auc_high": 0.9}
    rows = [
        {"suite": "lab", "generator": name, "family": family, "n_real": 24, "n_fake": 8, "auc": 0.6 + index / 20}
        | facts
        | {"flagged": index == 4, "sentence": "| told = nothing"}
        for index, (family, name) in enumerate(names)
    ]
    return make(BiasAudit, rows)


def basis(rank: int = 14) -> pl.DataFrame:
    """Orthonormal directions of both training sets, the first `rank` of them retained."""
    rows = []
    for number, training_set in enumerate(SETS):
        matrix = np.linalg.qr(np.random.default_rng(number).normal(size=(WIDTH, WIDTH)))[0]
        rows += [
            {"training_set": training_set, "k": k, "retained": k < rank, "vector": matrix[:, k].tolist()}
            for k in range(WIDTH)
        ]
    return make(SemanticBasis, rows)


def patches(images: int = 4, slots: int = 49) -> pl.DataFrame:
    """Drawn features of patches."""
    rng = np.random.default_rng(5)
    count = images * slots
    return pl.DataFrame(
        {
            "image_id": [f"real{number // slots:02}" for number in range(count)],
            "backbone_id": ["backbone"] * count,
            "condition": ["clean"] * count,
            "slot": [number % slots for number in range(count)],
            "row": [0] * count,
            "col": [0] * count,
            "entropy": [1.5] * count,
            "feature": rng.normal(size=(count, WIDTH)).astype(np.float32),
        }
    ).cast(dict.fromkeys(("slot", "row", "col"), pl.Int32))


def features() -> pl.DataFrame:
    """One feature."""
    facts = {"image_id": ["real00"], "backbone_id": ["backbone"], "condition": ["clean"], "view": ["crop"]}
    rows = pl.DataFrame(facts | {"draw": [0], "rule": ["native"], "feature": np.zeros((1, WIDTH), np.float32)})
    return rows.cast({"draw": pl.Int32})


def evaluation() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, Evaluation]:
    """Samples, runs, predictions and what is made of them."""
    corpus, trained = samples(), runs()
    scores = predictions(trained, corpus)
    provenance = {"code_checksum": "code", "data_checksum": "data"}
    return corpus, trained, scores, evaluate_runs(trained, Exams(contests_of(corpus), {}), scores, SETTINGS, provenance)


def write_project(paths: Paths) -> Evaluation:
    """Write every table of an evaluated project."""
    corpus, trained, scores, found = evaluation()
    spectrum = [
        {"training_set": name, "k": k, "singular_value": 9.0 - k, "energy": (k + 1) / 9, "retained": k < 2}
        for name in SETS
        for k in range(9)
    ]
    for kind, frame in (
        (Images, images(corpus)),
        (Samples, corpus),
        (Duplicates, make(Duplicates, [])),
        (BiasAudit, bias()),
        (Captions, make(Captions, [])),
        (AppliedConditions, condition_table((CLEAN,), (CLEAN,))),
        (Features, features()),
        (Patches, patches()),
        (SemanticSpectrum, make(SemanticSpectrum, spectrum)),
        (SemanticBasis, basis()),
        (ImageBasis, make(ImageBasis, [])),
        (RankValidation, make(RankValidation, [])),
        (Runs, trained),
        (ExternalRuns, make(ExternalRuns, [])),
        (Predictions, scores),
        (Results, found.results),
        (Means, found.means),
        (Differences, found.differences),
        (ConditionShifts, found.shifts),
        (RealSources, found.real_sources),
        (FlipRate, flip_rates(trained, Exams(contests_of(corpus), {}), scores, SETTINGS)),
    ):
        write_table(kind, frame, paths.table(kind))
    return found
