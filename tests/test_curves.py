"""ROC and precision-recall against loops and scikit-learn, and the page of `dvc plots show` without network."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import precision_score, roc_auc_score

from nsnet.core.paths import Paths
from nsnet.reporting.curves import STEP, curve_points, curve_rows
from nsnet.reporting.plots_page import plots_page
from nsnet.reporting.views import open_tables
from nsnet.reporting.writing import write_tables
from tests.conftest import ROOT, run
from tests.pages import Page, browse, complaints, needs_chromium
from tests.synthetic import DETECTORS, SEEDS, SETS, SETTINGS, predictions, runs, samples, write_project

# Sums of some hundred shares in another order.
EXACT = 1e-12


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project with drawn scores."""
    paths = Paths(tmp_path_factory.mktemp("curves"))
    write_project(paths)
    return paths


@pytest.fixture(scope="module")
def points(paths: Paths) -> pl.DataFrame:
    with open_tables(paths, paths, SETTINGS) as connection:
        return curve_points(connection, list(DETECTORS), "clean")


def scored(training_set: str, detector: str) -> dict[int, list[tuple[int, float]]]:
    """Label and score of every real and held-out fake, by seed."""
    corpus = samples().filter(split="test")
    labels = dict(corpus.filter(generator="seen").select("image_id", "label").iter_rows())
    held_out = {row[0]: row[1] for row in corpus.select("image_id", "label").iter_rows() if row[0] not in labels}
    scores = predictions(runs(), samples()).filter(split="test", condition="clean")
    by_seed = {
        seed: [
            (held_out[image_id], score)
            for image_id, score in scores.filter(run_id=f"{training_set}-{detector}-{seed}")
            .select("image_id", "score")
            .iter_rows()
            if image_id in held_out
        ]
        for seed in SEEDS
    }
    return {seed: shown for seed, shown in by_seed.items() if shown}  # one detector was trained less often


@pytest.mark.parametrize("training_set", SETS)
def test_points_are_those_of_a_loop(points: pl.DataFrame, training_set: str) -> None:
    for detector in ("nsnet", "univfd"):
        by_seed = scored(training_set, detector)
        rows = points.filter(training_set=training_set, detector=detector)
        assert rows.height > 20 and set(rows["n_real"]) == {24} and set(rows["n_fake"]) == {9 + 10 + 11 + 12}
        assert rows.row(0, named=True)["threshold"] is None
        for row in rows.slice(1).iter_rows(named=True):
            called: dict[int, list[float]] = {0: [], 1: []}
            for shown in by_seed.values():
                for label in (0, 1):
                    mine = [score >= row["threshold"] for one, score in shown if one == label]
                    called[label].append(sum(mine) / len(mine))
            alarms, caught = (sum(called[label]) / len(by_seed) for label in (0, 1))
            assert (row["false_alarms"], row["caught"]) == pytest.approx((alarms, caught), abs=EXACT)
            assert row["precision"] == pytest.approx(caught / (caught + alarms), abs=EXACT)


def test_a_curve_is_whole_and_thin(points: pl.DataFrame) -> None:
    for (training_set, detector), rows in points.partition_by("training_set", "detector", as_dict=True).items():
        ends = rows.select("false_alarms", "caught")
        assert ends.row(0) == (0, 0) and ends.row(-1) == pytest.approx((1, 1), abs=EXACT)
        assert rows["threshold"].drop_nulls().is_sorted(descending=True)
        steps = (rows["false_alarms"] + rows["caught"]).diff().drop_nulls()
        by_seed = scored(str(training_set), str(detector))
        weight: dict[float, float] = {}
        for label, score in (one for shown in by_seed.values() for one in shown):
            weight[score] = weight.get(score, 0) + 1 / len(by_seed) / (42 if label else 24)
        # A point is the last of its part, so from the one before it lie a score's pictures and a part at most.
        assert steps.min() >= 0 and steps.max() < STEP + max(weight.values()) + EXACT  # type: ignore[operator]
        assert rows.height <= 2 / STEP + 3
        [half] = rows.filter("at_half").iter_rows(named=True)
        assert half["threshold"] == min(score for score in weight if score >= 0.5)


def test_area_and_precision_are_scikit_learns(points: pl.DataFrame) -> None:
    shown = [one for seed in scored("biased", "nsnet").values() for one in seed]
    labels, scores = np.array([one[0] for one in shown]), np.array([one[1] for one in shown])
    weights = np.where(labels == 1, 1 / np.sum(labels == 1), 1 / np.sum(labels == 0))
    rows = points.filter(training_set="biased", detector="nsnet")
    area = np.trapezoid(rows["caught"], rows["false_alarms"])
    # Between two points d apart, right of one and above it, lies a triangle of d * d / 8 at most.
    steps = (rows["false_alarms"] + rows["caught"]).diff().drop_nulls().to_numpy()
    assert area == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=float(np.sum(steps**2) / 8))
    [half] = rows.filter("at_half").iter_rows(named=True)
    assert half["precision"] == pytest.approx(precision_score(labels, scores >= 0.5, sample_weight=weights), abs=EXACT)


def test_panels_say_what_they_show(paths: Paths) -> None:
    with open_tables(paths, paths, SETTINGS) as connection:
        rows = curve_rows(connection, SETTINGS, "LAB </script>")
        assert set(rows["detector"]) == {"nsnet", "univfd"}
        assert rows["panel"].unique(maintain_order=True).to_list() == [
            f"LAB \u2039/script>: lab, trained on {name}, tested clean; held-out generators together, 42 fakes against"
            " 24 reals"
            for name in SETS
        ]
        assert rows.filter(decision="0.5").height == 4
        only = SETTINGS.model_copy(update={"conditions": ["jpeg50"]})
        assert all("tested jpeg50;" in panel for panel in curve_rows(connection, only, "LAB")["panel"])
        nobody = SETTINGS.model_copy(update={"shown": []})
        assert curve_rows(connection, nobody, "LAB").columns == rows.columns


def test_the_committed_page_holds_vega_and_loads_nothing() -> None:
    text = (ROOT / ".dvc/plots/page.html").read_text(encoding="utf-8")
    assert text == plots_page(), "run `python docs/generated.py`"
    found = Page(text.partition("<script>")[0] + text.rpartition("</script>")[2])
    assert found.addresses == [] and "{plot_divs}" in text and "{scripts}" not in text
    assert [one for one in found.all("meta") if "default-src 'none'" in (one.get("content") or "")]


@pytest.fixture(scope="module")
def shown(paths: Paths) -> Path:
    """What `dvc plots show` writes."""
    folder = paths.root
    write_tables(paths, paths, SETTINGS, 0.75)
    shutil.copy(ROOT / "dvc.yaml", folder)
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "plots", "show", project=ROOT)
    return folder / "dvc_plots/index.html"


def test_dvc_plots_asks_no_host(shown: Path) -> None:
    found = Page(shown.read_text(encoding="utf-8"))
    assert found.all("img") and all("://" not in address for address in found.addresses)
    assert (
        not found.all("link") and not found.all("iframe") and not [one for one in found.all("script") if "src" in one]
    )
    assert found.all("meta")[1]["http-equiv"] == "Content-Security-Policy"


@needs_chromium
def test_a_browser_draws_the_curves(shown: Path) -> None:
    seen = browse(shown, "", "--dump-dom")
    assert complaints(seen) == []
    for name in ("ROC", "precision-recall"):
        plot = seen.stdout.partition(f'<div id="{name}"')[2].partition("</svg>")[0]
        assert "LAB, simulated: lab, trained on biased, tested clean" in plot, name
        # A line for each of two detectors in each of two panels, of the workspace alone.
        assert plot.count('aria-roledescription="line mark"') == 4, name
        assert all(f">{detector}</text>" in plot for detector in ("nsnet", "univfd", "workspace")), name
