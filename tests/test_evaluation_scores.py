"""Scoring: runs that read the same are scored together, scores are kept, and a killed evaluation goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from nsnet.core.contracts import make
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import digest
from nsnet.corpus.contracts import Samples
from nsnet.detectors.files import save_detector
from nsnet.detectors.linear import LinearDetector
from nsnet.detectors.protocol import Context, Needs
from nsnet.detectors.settings import LinearSettings
from nsnet.evaluation.assessment import evaluate, headline
from nsnet.evaluation.contests import contests_of
from nsnet.evaluation.contracts import Differences, Means, Predictions, Results
from nsnet.evaluation.exams import Exams, trained_pictures
from nsnet.evaluation.scores import score_runs, score_tasks
from nsnet.evaluation.sources import ScoringSource
from nsnet.features.conditions import Condition
from nsnet.features.contracts import Features
from nsnet.features.settings import Jpeg
from nsnet.semantics.null_space import orthonormal
from nsnet.training.contracts import Runs
from tests.synthetic import BACKBONE, SETTINGS, WIDTH, runs, samples

CONDITIONS = {"clean": Condition("clean"), "jpeg50": Condition("jpeg50", (Jpeg(op="jpeg", quality=50),))}
LINEAR: dict[str, Any] = {
    "epochs": 1,
    "batch": 8,
    "lr": 0.1,
    "bce_weight": 0.2,
    "temperature": 0.1,
    "weight_decay": [0],
}


class Counting(ScoringSource):
    """Inputs that remember what was read."""

    def __init__(self, paths: Paths) -> None:
        super().__init__(paths, paths.data, CONDITIONS)
        self.read: list[tuple[str, str, int]] = []

    def batches(
        self, needs: Needs, backbone: Any, condition: str, image_ids: list[str], device: torch.device
    ) -> Iterator[torch.Tensor]:
        self.read.append((needs.view, condition, len(image_ids)))
        return super().batches(needs, backbone, condition, image_ids, device)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A project with drawn features and detectors that were never trained: 2 sets x (3 + 3 + 3 + 2 + 3) runs."""
    paths = Paths(tmp_path)
    corpus = samples()
    write_table(Samples, corpus, paths.table(Samples))
    rng = np.random.default_rng(2)
    parts = []
    ids = corpus["image_id"].unique().sort()
    for view in ("mosaic", "crop"):
        for condition in CONDITIONS:
            feature = rng.normal(size=(len(ids), WIDTH)).astype(np.float32)
            facts = {"backbone_id": digest(BACKBONE), "condition": condition, "view": view, "rule": "native"}
            rows = pl.DataFrame({"image_id": ids}).with_columns(draw=pl.lit(0, pl.Int32), feature=feature)
            parts.append(rows.with_columns(**{name: pl.lit(value) for name, value in facts.items()}))
    write_table(Features, pl.concat(parts), paths.table(Features))
    trained = []
    for number, run in enumerate(runs().to_dicts()):
        torch.manual_seed(number)
        choice = {name: run[name] for name in ("view", "null_space", "adapter", "contrastive")}
        settings = LinearSettings(**choice, **LINEAR)
        context = Context(BACKBONE, WIDTH, orthonormal(np.eye(WIDTH)[:3]), run["seed"])
        detector: Any = LinearDetector(settings, context)
        for tensor in detector.module().state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape) * 0.2 + (1.0 if tensor.dim() == 0 else 0.0))
        sha256 = save_detector(detector, settings, context, paths.detectors / f"{run['run_id']}.safetensors")
        run |= {"params": settings.model_dump_json(), "detector_sha256": sha256, "backbone_id": digest(BACKBONE)}
        trained.append(run)
    write_table(Runs, make(Runs, trained), paths.table(Runs))
    return paths


def scored(paths: Paths, trained: pl.DataFrame, conditions: list[str]) -> tuple[pl.DataFrame, Counting]:
    corpus = read_table(Samples, paths.table(Samples))
    inputs = Counting(paths)
    exams = Exams(contests_of(corpus), trained_pictures(corpus))
    found = score_runs(score_tasks(trained, exams, conditions), inputs, paths.detectors, paths.run_store)
    return found, inputs


def test_runs_that_read_the_same_are_scored_together_once(paths: Paths) -> None:
    trained = read_table(Runs, paths.table(Runs))
    found, inputs = scored(paths, trained, ["clean", "jpeg50"])
    # Two views, on test pictures under two conditions and on the validation split, which both sets share here.
    assert sorted(inputs.read) == sorted(
        (view, condition, count)
        for view in ("crop", "mosaic")
        for condition, count in (("clean", 12), ("clean", 74), ("jpeg50", 74))
    )
    assert found.height == trained.height * (12 + 74 + 74)
    validation = found.filter(split="validation")
    assert set(validation["condition"]) == {"clean"} and validation.height == trained.height * 12
    again, later = scored(paths, trained, ["clean", "jpeg50"])
    assert later.read == [] and again.equals(found)


def test_scores_are_the_detectors(paths: Paths) -> None:
    from nsnet.detectors.files import load_detector
    from nsnet.features.matrices import FeatureReader

    trained = read_table(Runs, paths.table(Runs))
    found, _ = scored(paths, trained, ["jpeg50"])
    run = trained.filter(detector="univfd").row(0, named=True)
    ids = found.filter(run_id=run["run_id"], condition="jpeg50")["image_id"].to_list()
    matrix = FeatureReader(paths.table(Features)).matrix(digest(BACKBONE), "jpeg50", "crop", 0, ids)
    detector = load_detector(paths.detectors / f"{run['run_id']}.safetensors", run["detector_sha256"], BACKBONE)
    expected = detector.score([torch.from_numpy(matrix[:30]), torch.from_numpy(matrix[30:])])
    stored = found.filter(run_id=run["run_id"], condition="jpeg50")["score"].to_numpy()
    # Other batches: float32 sums of 128 terms in another order.
    assert stored == pytest.approx(expected, abs=1e-5) and np.std(stored) > 0.01


def test_a_new_detector_or_condition_scores_only_that(paths: Paths) -> None:
    trained = read_table(Runs, paths.table(Runs))
    _, first = scored(paths, trained.filter(pl.col("detector") != "nsnet-plain"), ["clean"])
    assert {condition for _, condition, _ in first.read} == {"clean"}
    _, more = scored(paths, trained, ["clean"])
    assert sorted(more.read) == [("mosaic", "clean", 12), ("mosaic", "clean", 74)]
    _, tested = scored(paths, trained, ["clean", "jpeg50"])
    assert {(condition, count) for _, condition, count in tested.read} == {("jpeg50", 74)}


def test_a_killed_evaluation_goes_on(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = read_table(Runs, paths.table(Runs))
    calls = []
    original: Callable[..., Any] = ScoringSource.batches

    def dying(*words: Any) -> Any:
        calls.append(words)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*words)

    monkeypatch.setattr(ScoringSource, "batches", dying)
    with pytest.raises(KeyboardInterrupt):
        scored(paths, trained, ["clean", "jpeg50"])
    monkeypatch.setattr(ScoringSource, "batches", original)
    _, rest = scored(paths, trained, ["clean", "jpeg50"])
    assert len(rest.read) == 6 - 2


def test_damaged_scores_are_told_and_made_again(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    trained = read_table(Runs, paths.table(Runs))
    found, _ = scored(paths, trained, ["clean"])
    file = sorted((paths.run_store / "biased-nsnet-0" / "scores").glob("*.parquet"))[0]
    rows = pl.read_parquet(file)
    rows.with_columns(pl.col("score") * 0.5).write_parquet(file, metadata=pl.read_parquet_metadata(file))
    again, inputs = scored(paths, trained, ["clean"])
    assert len(inputs.read) == 1 and again.equals(found)
    assert f"{file} is damaged" in capsys.readouterr().err
    file.write_bytes(b"PAR1")
    assert scored(paths, trained, ["clean"])[0].equals(found)


def test_unknown_conditions_are_named(paths: Paths) -> None:
    trained = read_table(Runs, paths.table(Runs))
    with pytest.raises(ValueError, match="did you mean jpeg50"):
        scored(paths, trained, ["jpeg5"])


def test_an_evaluation_writes_its_tables_and_keeps_rows_beside_each_run(paths: Paths) -> None:
    found = evaluate(paths, paths, SETTINGS, ScoringSource(paths, paths.data, CONDITIONS))
    for kind, frame in ((Results, found.results), (Means, found.means), (Differences, found.differences)):
        assert read_table(kind, paths.table(kind)).equals(frame)
    predictions = read_table(Predictions, paths.table(Predictions))
    assert set(predictions["split"]) == {"validation", "test"}
    kept = pl.read_parquet(paths.run_store / "biased-univfd-1" / "results.parquet")
    assert kept.equals(found.results.filter(run_id="biased-univfd-1"))
    figures = headline(found.means)["lab/clean/biased/clean/nsnet"]
    mean = found.means.filter(
        training_set="biased", detector="nsnet", condition="clean", group="held-out", metric="acc"
    )["value"][0]
    assert figures["acc"] == round(mean, 4) and set(figures) >= {"ap", "auroc", "acc_validation", "plain_ap"}
    # A threshold chosen on test pictures makes no headline, though the table has it.
    assert "acc_oracle" not in figures and "acc_oracle" in found.means["metric"]
    before = {kind: paths.table(kind).read_bytes() for kind in (Predictions, Results, Means, Differences)}
    evaluate(paths, paths, SETTINGS, ScoringSource(paths, paths.data, CONDITIONS))
    assert before == {kind: paths.table(kind).read_bytes() for kind in before}


def test_another_projects_pictures_have_no_validation_split(paths: Paths, tmp_path: Path) -> None:
    here = Paths(tmp_path / "photos")
    for kind in (Samples, Features):
        here.table(kind).parent.mkdir(parents=True)
        here.table(kind).write_bytes(paths.table(kind).read_bytes())
    evaluate(here, paths, SETTINGS, ScoringSource(here, here.data, CONDITIONS))
    assert set(read_table(Predictions, here.table(Predictions))["split"]) == {"test"}
    assert not list(paths.run_store.glob("*/scores/*")) and list(here.run_store.glob("*/scores/*"))
    assert json.loads(read_table(Runs, paths.table(Runs))["backbone"][0]) == BACKBONE
