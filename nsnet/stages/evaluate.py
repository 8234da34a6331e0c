"""Stage evaluate: score every test image with every run, then results with intervals."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from nsnet.core.contracts import make
from nsnet.core.device import best_device
from nsnet.core.files import atomic_path
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.core.provenance import data_checksum, git_revision
from nsnet.corpus.contracts import Images, Samples
from nsnet.detectors import load_detector
from nsnet.evaluation.contracts import Means, Predictions, Results
from nsnet.evaluation.statistics import draw_contests, evaluate_runs
from nsnet.features.backbone import load_backbone, under_conditions
from nsnet.features.contracts import CLEAN
from nsnet.features.inputs import Inputs
from nsnet.params import Params, load_params
from nsnet.training.contracts import Runs


def score_images(runs: pl.DataFrame, image_ids: list[str], inputs: dict[str, Inputs], detectors: Path) -> pl.DataFrame:
    """Score images with each run, under the run's condition: the table predictions, by run and image."""
    parts = []
    with bar("score", runs.height) as advance:
        for run_id, view, condition in runs.sort("run_id").select("run_id", "view", "condition").iter_rows():
            detector = load_detector(detectors / f"{run_id}.safetensors")
            scores = detector.score(inputs[condition].get(detector.reads, view, image_ids))
            parts.append(
                pl.DataFrame({"image_id": image_ids, "score": scores}).with_columns(
                    run_id=pl.lit(run_id), condition=pl.lit(condition)
                )
            )
            advance(1)
    return pl.concat(parts).select(make(Predictions, []).columns)


def evaluate(root: Path, paths: Paths, trained: Paths, params: Params) -> pl.DataFrame:
    """Evaluate the runs of project `trained` on the corpus of project `paths`; write three tables, return means.

    Raises:
        ValueError: if the runs were trained on another backbone than params.yaml names.
    """
    runs = read_table(Runs, trained.table(Runs))
    samples = read_table(Samples, paths.table(Samples))
    images = read_table(Images, paths.table(Images)).filter(status="used")
    backbones = under_conditions(load_backbone(params.backbone, best_device()), params.corpus.harmonise)
    foreign = runs.filter(~pl.col("backbone_id").is_in([backbone.id for backbone in backbones.values()]))
    if foreign.height:
        raise ValueError(
            f"run {foreign['run_id'][0]} was trained on backbone {foreign['backbone_id'][0]}, params.yaml names"
            f" {backbones[CLEAN].id}: run `dvc repro train`"
        )
    contests = draw_contests(samples, params.evaluate)
    files = {image_id: root / name for image_id, name in images.select("image_id", "path").iter_rows()}
    inputs = {condition: Inputs(paths, files, backbone) for condition, backbone in backbones.items()}
    pairs = [contest.pairing for contest in contests]
    tested = sorted({image_id for pair in pairs for image_id in (*pair.real, *pair.fake)})
    predictions = score_images(runs, tested, inputs, trained.detectors)
    provenance = {"git_revision": git_revision(), "data_checksum": data_checksum(paths.table(Samples))}
    with bar("evaluate", runs.height) as advance:
        results, means = evaluate_runs(runs, contests, predictions, params.evaluate, provenance, advance)
    for kind, frame in ((Predictions, predictions), (Results, results), (Means, means)):
        write_table(kind, frame, paths.table(kind))
    return means


def headline(runs: pl.DataFrame, means: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Held-out means by training set and detector, for `dvc metrics`."""
    rows = means.filter(group="held-out").join(runs.drop("condition"), on="run_id")
    rows = rows.sort("suite", "condition", "training_set", "detector", "metric")
    figures: dict[str, dict[str, float]] = {}
    named = rows.select("suite", "condition", "training_set", "detector", "metric", "value")
    for *place, metric, value in named.iter_rows():
        figures.setdefault("/".join(place), {})[metric] = round(value, 4)
    return figures


def main() -> None:
    paths = Paths()
    params = load_params(paths.params)
    with cost(paths.cost("evaluate")):
        means = evaluate(paths.data, paths, paths, params)
    runs = read_table(Runs, paths.table(Runs))
    with atomic_path(paths.metrics) as temporary:
        temporary.write_text(json.dumps(headline(runs, means), indent=2) + "\n")
    print(f"evaluate: {runs.height} runs")
