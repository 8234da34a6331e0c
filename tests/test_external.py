"""External detectors beside ours: the same numbers as scikit-learn's, paired with ours, in every table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from nsnet.core.contracts import make
from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.evaluation.contests import contests_of, pictures_of
from nsnet.evaluation.contracts import Differences, ExternalRuns, Means, Predictions, Results
from nsnet.evaluation.exams import Exams, trained_pictures
from nsnet.evaluation.external import External, external_detectors
from nsnet.evaluation.score_store import Record, ScoreStore
from nsnet.evaluation.statistics import Evaluation, evaluate_runs
from nsnet.reporting.catalogue import build_catalog
from nsnet.reporting.queries import run_query
from nsnet.reporting.views import open_tables, views
from nsnet.reporting.writing import write_tables
from nsnet.training.contracts import Runs
from tests.synthetic import SETS, SETTINGS, predictions, runs, samples, write_project
from tests.test_exams import corpus as drawn_corpus

CORPUS = samples()
LABELS = dict(CORPUS.select("image_id", "label").iter_rows())
TESTED = pictures_of(contests_of(CORPUS))
EXAMS = Exams(contests_of(CORPUS), trained_pictures(CORPUS))
VALIDATION = list(EXAMS.trained({"training_set": "biased", "seed": 0}).validation)
CODE = {"code_checksum": "code", "data_checksum": "data"}
# Sums of a few dozen float64 terms in another order.
EXACT = 1e-12


def drawn(names: Sequence[str], seed: int = 5) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    scores = [float(np.clip(rng.normal(0.3 + 0.3 * LABELS[name], 0.2), 0, 1).round(2)) for name in names]
    return pl.DataFrame({"image_id": list(names), "score": scores})


def record(detector: str = "dire", condition: str = "clean", **facts: object) -> Record:
    known = {"version": "1.2", "sha256": "", "scale": "probability", "threshold": None, "training_sets": ()}
    return Record(detector=detector, condition=condition, source="s.csv", source_sha256="0", **{**known, **facts})  # type: ignore[arg-type]


def brought(folder: Path, found: dict[Record, pl.DataFrame], trained: pl.DataFrame | None = None) -> External:
    store = ScoreStore(folder)
    store.keep(found)
    ours = runs() if trained is None else trained
    return external_detectors(store, ours, CORPUS, EXAMS, SETTINGS.conditions)


def together(external: External) -> tuple[pl.DataFrame, Evaluation]:
    scores = pl.concat([predictions(runs(), CORPUS), external.predictions])
    everyone = pl.concat([runs(), external.runs])
    return scores, evaluate_runs(everyone, EXAMS, scores, SETTINGS, CODE)


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> tuple[External, pl.DataFrame, Evaluation]:
    """An external detector with scores of test pictures under one condition, beside the synthetic runs."""
    external = brought(tmp_path_factory.mktemp("scores"), {record(): drawn(TESTED)})
    return external, *together(external)


def test_it_stands_beside_every_training_set(beside: tuple[External, pl.DataFrame, Evaluation]) -> None:
    external, _, found = beside
    assert external.runs["training_set"].to_list() == list(SETS) and external.runs["run_id"].is_unique().all()
    shown = found.means.filter(detector="dire", group="held-out", metric="acc")
    assert shown.select("training_set", "condition", "n_seeds").rows() == [(name, "clean", 1) for name in SETS]
    # Under jpeg50 there are no scores of it: it is left out there, and ours are as they were.
    alone = evaluate_runs(runs(), EXAMS, predictions(runs(), CORPUS), SETTINGS, CODE)
    ours = found.means.filter(pl.col("detector") != "dire")
    assert ours.equals(alone.means)
    assert found.results.filter(pl.col("run_id").is_in(runs()["run_id"].implode())).equals(alone.results)


def test_its_numbers_are_scikit_learns(beside: tuple[External, pl.DataFrame, Evaluation]) -> None:
    _, _, found = beside
    score = dict(drawn(TESTED).iter_rows())
    for contest in contests_of(CORPUS):
        names = [*contest.pairing.real, *contest.pairing.fake]
        truth, scores = [LABELS[name] for name in names], [score[name] for name in names]
        weights = [1 / (len(contest.pairing.fake) if label else len(contest.pairing.real)) for label in truth]
        rows = found.results.filter(pl.col("run_id").is_in(beside[0].runs["run_id"].implode()))
        mine = dict(rows.filter(generator=contest.pairing.generator).select("metric", "value").iter_rows())
        decided = [value >= 0.5 for value in scores]
        assert mine["acc"] == pytest.approx(balanced_accuracy_score(truth, decided), abs=EXACT)
        assert mine["ap"] == pytest.approx(average_precision_score(truth, scores, sample_weight=weights), abs=EXACT)
        assert mine["plain_ap"] == pytest.approx(average_precision_score(truth, scores), abs=EXACT)
        assert mine["auroc"] == pytest.approx(roc_auc_score(truth, scores), abs=EXACT)


def test_differences_to_ours_are_paired(beside: tuple[External, pl.DataFrame, Evaluation]) -> None:
    """The mean of differences by seed and generator, from the scores; and both orders."""
    external, scores, found = beside
    row = found.differences.filter(
        training_set="biased", condition="clean", group="held-out", metric="auroc", detector="dire", reference="nsnet"
    ).row(0, named=True)
    by_run = {}
    test = scores.filter(split="test", condition="clean")
    for run_id in (external.runs["run_id"][0], *(f"biased-nsnet-{seed}" for seed in range(3))):
        score = dict(test.filter(run_id=run_id).select("image_id", "score").iter_rows())
        by_run[run_id] = np.mean(
            [
                roc_auc_score(
                    [LABELS[name] for name in (*contest.pairing.real, *contest.pairing.fake)],
                    [score[name] for name in (*contest.pairing.real, *contest.pairing.fake)],
                )
                for contest in contests_of(CORPUS)
                if not contest.seen_by("biased")
            ]
        )
    theirs, *ours = by_run.values()
    assert row["difference"] == pytest.approx(theirs - np.mean(ours), abs=EXACT)
    assert row["ci_low"] < row["difference"] < row["ci_high"] and row["population_low"] < row["population_high"]
    turned = found.differences.filter(detector="nsnet", reference="dire").height
    assert turned == found.differences.filter(detector="dire", reference="nsnet").height == 2 * 2 * 4


def test_beside_a_drawn_set_it_is_judged_as_ours_of_each_draw(tmp_path: Path) -> None:
    samples = drawn_corpus()
    exams = Exams(contests_of(samples), trained_pictures(samples))
    labels = dict(samples.select("image_id", "label").iter_rows())
    scores = pl.DataFrame({"image_id": sorted(labels), "score": [0.2 + 0.6 * labels[name] for name in sorted(labels)]})
    store = ScoreStore(tmp_path)
    store.keep({record(): scores})
    found = external_detectors(store, runs(("biased",)), samples, exams, ["clean"])
    assert found.runs["seed"].to_list() == [0, 1, 2] and found.runs["run_id"].is_unique().all()
    for run in found.runs.to_dicts():
        tested = found.predictions.filter(run_id=run["run_id"], split="test")["image_id"].to_list()
        assert tested == exams.tested(run) and len(tested) < len(labels)
        assert run["temperature"] < 1 and run["validation_acc"] == 1  # validation pictures of its draw were scored


def test_thresholds_are_the_users_or_those_of_validation(tmp_path: Path) -> None:
    whole = drawn([*TESTED, *VALIDATION])
    external = brought(tmp_path / "chosen", {record(): whole})
    score = dict(whole.iter_rows())
    values = [score[name] for name in VALIDATION]
    truth = [LABELS[name] for name in VALIDATION]
    [threshold] = external.runs["threshold"].unique()
    reached = [balanced_accuracy_score(truth, [value >= cut for value in values]) for cut in [threshold, *values]]
    assert reached[0] == max(reached)
    right = balanced_accuracy_score(truth, [value >= 0.5 for value in values])
    assert external.runs["validation_acc"].to_list() == pytest.approx([right, right], abs=EXACT)
    assert external.predictions.filter(split="validation").height == 2 * len(VALIDATION)
    # One validation picture short, there is no choice; and what the user says comes first.
    part = brought(tmp_path / "part", {record(): whole.filter(pl.col("image_id") != VALIDATION[0])})
    assert part.runs["threshold"].to_list() == [0.5, 0.5] and part.runs["validation_acc"].null_count() == 2
    assert part.predictions.filter(split="validation").is_empty()
    named = brought(tmp_path / "named", {record(threshold=0.3): whole})
    assert named.runs["threshold"].to_list() == [0.3, 0.3]


def test_a_training_set_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    one = brought(tmp_path / "one", {record(training_sets=("biased",)): drawn(TESTED)})
    assert one.runs["training_set"].to_list() == ["biased"]
    other = brought(tmp_path / "other", {record(training_sets=("progan",)): drawn(TESTED)})
    assert other.runs["training_set"].to_list() == ["progan"]
    alone = brought(tmp_path / "alone", {record(): drawn(TESTED)}, make(Runs, []))
    assert alone.runs["training_set"].to_list() == ["external"]


def test_what_does_not_fit_any_more_is_refused_at_once(tmp_path: Path) -> None:
    found = {record("dire"): drawn(TESTED[1:]), record("nsnet"): drawn(TESTED)}
    store = ScoreStore(tmp_path)
    store.keep(found)
    # Copied in by hand, past `keep`.
    other = ScoreStore(tmp_path / "elsewhere")
    other.keep({record("dire", "jpeg50", version="2.0"): drawn(TESTED)})
    (tmp_path / "elsewhere/dire/jpeg50.parquet").rename(tmp_path / "dire/jpeg50.parquet")
    with pytest.raises(ValueError) as error:
        external_detectors(store, runs(), CORPUS, EXAMS, SETTINGS.conditions)
    for expected in (
        "dire: version '1.2' under clean, '2.0' under jpeg50; one table holds one version of a detector",
        f"dire: 1 of {len(TESTED)} test pictures have no score under clean; has the corpus changed since?",
        "nsnet: a detector of ours has this name too: `nsnet results remove nsnet`",
    ):
        assert expected in str(error.value)


def write_evaluated(paths: Paths, external: External, scores: pl.DataFrame, found: Evaluation) -> Paths:
    """The synthetic project with an external detector among its tables."""
    write_project(paths)
    for kind, frame in (
        (ExternalRuns, external.runs),
        (Predictions, scores),
        (Results, found.results),
        (Means, found.means),
        (Differences, found.differences),
    ):
        write_table(kind, frame, paths.table(kind))
    return paths


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, beside: tuple[External, pl.DataFrame, Evaluation]) -> Paths:
    return write_evaluated(Paths(tmp_path_factory.mktemp("project")), *beside)


def test_every_view_has_it_but_those_of_parts(project: Paths) -> None:
    build_catalog(project, SETTINGS)
    # These compare parts of ours; a gap between home and elsewhere is none where home is not known, and nothing flips
    # that has scores under one condition only.
    parts = {"ablation", "contrastive", "controls", "plug_and_play", "generalization_gap", "flip_rates"}
    parts.add("nightly_trend")  # there was no night
    parts.add("versus_published")  # nobody has published figures of this lab
    for name in views():
        columns = run_query(project.database, f"DESCRIBE {name}")["column_name"].to_list()
        if "detector" in columns:
            found = run_query(project.database, f"SELECT DISTINCT detector FROM {name}")["detector"].to_list()
            assert ("dire" in found) == (name not in parts), name
    row = run_query(project.database, "FROM runs WHERE kind = 'external' ORDER BY training_set LIMIT 1").row(
        0, named=True
    )
    assert row["current"] and json.loads(row["params"])["version"] == "1.2" and row["detector_sha256"] is None
    assert row["origin"].startswith("MIXED: simulated generators seen by external detectors")


def test_tables_name_it_and_its_version(project: Paths) -> None:
    write_tables(project, project, SETTINGS, 0.75)
    text = (project.tables / "leaderboard_biased.md").read_text()
    assert "| dire | " in text and "whose scores were imported: dire 1.2." in text
    assert "LAB: simulated" in text and "MIXED: simulated generators seen by external detectors" in text
    assert "by code code; backbone backbone; tested" in text and "None" not in text
    assert "dire" in (project.tables / "cross_domain_unbiased.md").read_text()
    assert ">dire<" not in (project.tables / "plots/generators_lab_biased.svg").read_text()  # evaluate.shown says which
    with open_tables(project, project, SETTINGS) as connection:
        gap = connection.sql("SELECT acc_difference FROM leaderboard WHERE detector = 'dire'").fetchall()
    assert all(value is not None for (value,) in gap)


def test_a_claim_to_be_trained_here_has_a_gap(tmp_path: Path) -> None:
    external = brought(tmp_path / "scores", {record(training_sets=("biased",)): drawn(TESTED)})
    paths = write_evaluated(Paths(tmp_path / "project"), external, *together(external))
    with open_tables(paths, paths, SETTINGS) as connection:
        rows = connection.sql("SELECT training_set FROM generalization_gap WHERE detector = 'dire'").fetchall()
    assert rows == [("biased",)]
