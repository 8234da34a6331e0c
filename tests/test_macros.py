"""The macros of the catalogue against scikit-learn, and against loops where it has none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, balanced_accuracy_score, roc_auc_score, roc_curve

from nsnet.reporting.views import create_macros, macros

Array = npt.NDArray[np.float64]
Metric = Callable[[Array, Array], float]
Pictures = Sequence[tuple[int | None, float | None]]
# Sums of a few thousand terms near 1 in another order: float64 leaves some 1e-13.
CLOSE = 1e-9
THRESHOLDS = {"0.5": 0.5, "0.45": 0.45}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        create_macros(connection)
        yield connection


def drawn(rng: np.random.Generator) -> pl.DataFrame:
    """Groups of many sizes and shares of fakes; two digits make ties within and across labels, ends included."""
    parts = []
    for number, (size, digits, share) in enumerate(
        [(3000, 2, 0.9), (1500, 1, 0.5), (700, 0, 0.3), (400, 6, 0.5), (12, 1, 0.5), (900, 2, 0.02)]
    ):
        labels = rng.random(size) < share
        labels[:2] = False, True
        scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.3), 0, 1).round(digits)
        facts = {"number": [number] * size, "label": labels.astype(np.int8), "score": scores}
        parts.append(pl.DataFrame(facts))
    return pl.concat(parts).sample(fraction=1, shuffle=True, seed=4)


def tpr_at(fpr: float) -> Metric:
    def metric(labels: Array, scores: Array) -> float:
        reached, caught, _ = roc_curve(labels, scores, drop_intermediate=False)
        return float(caught[reached <= fpr].max())

    return metric


def called(function: Metric, threshold: float) -> Metric:
    return lambda labels, scores: function(labels, (scores >= threshold).astype(np.float64))


def precision_at(threshold: float, base_rate: float) -> Metric:
    """Each picture with the weight that gives fakes the base rate."""

    def metric(labels: Array, scores: Array) -> float:
        fakes, reals = labels.sum(), (1 - labels).sum()
        flagged = caught = 0.0
        for label, score in zip(labels, scores, strict=True):
            weight = base_rate / fakes if label else (1 - base_rate) / reals
            flagged += weight * (score >= threshold)
            caught += weight * (score >= threshold) * label
        return caught / flagged

    return metric


def calibration_error(bins: int) -> Metric:
    def metric(labels: Array, scores: Array) -> float:
        members: list[list[tuple[float, float]]] = [[] for _ in range(bins)]
        for label, score in zip(labels, scores, strict=True):
            members[min(math.floor(score * bins), bins - 1)].append((label, score))
        far = [
            len(inside) * abs(np.mean([label for label, _ in inside]) - np.mean([score for _, score in inside]))
            for inside in members
            if inside
        ]
        return float(sum(far) / len(labels))

    return metric


def best_of_all(labels: Array, scores: Array) -> float:
    """Every score of a picture as a threshold, and one above them all."""
    return float(max(balanced_accuracy_score(labels, scores >= one) for one in [*np.unique(scores), 2.0]))


REFERENCES: dict[str, Metric] = {
    "oracle_accuracy(label, score)": best_of_all,
    "average_precision(label, score)": average_precision_score,
    "auroc(label, score)": roc_auc_score,
    **{
        f"{name}(label, score, {text})": called(function, at)
        for name, function in (("accuracy", accuracy_score), ("balanced_accuracy", balanced_accuracy_score))
        for text, at in THRESHOLDS.items()
    },
    **{f"tpr_at_fpr(label, score, {fpr})": tpr_at(fpr) for fpr in (0, 0.01, 0.05, 0.25, 0.5, 1)},
    **{
        f"precision_at_base_rate(label, score, {text}, {rate})": precision_at(at, rate)
        for text, at in THRESHOLDS.items()
        for rate in (0.01, 0.5, 1)
    },
    **{f"expected_calibration_error(label, score, {bins})": calibration_error(bins) for bins in (1, 7, 10, 200)},
}


def test_every_macro_equals_its_reference(connection: duckdb.DuckDBPyConnection, rng: np.random.Generator) -> None:
    rows = drawn(rng)
    connection.register("pictures", rows.to_arrow())
    assert {call.partition("(")[0] for call in REFERENCES} == macros().keys() - {"ranked_fakes"}
    for call, reference in REFERENCES.items():
        found = dict(connection.sql(f"SELECT number, {call} FROM pictures GROUP BY number").fetchall())
        for (number,), group in rows.partition_by("number", as_dict=True).items():
            labels, scores = group["label"].to_numpy().astype(np.float64), group["score"].to_numpy()
            assert found[number] == pytest.approx(reference(labels, scores), abs=CLOSE), (call, number)


def asked(connection: duckdb.DuckDBPyConnection, call: str, pictures: Pictures) -> float:
    rows = pl.DataFrame(pictures, schema={"label": pl.Int8, "score": pl.Float64}, orient="row")
    connection.register("few", rows.to_arrow())
    return connection.sql(f"SELECT {call} FROM few").fetchall()[0][0]


@pytest.mark.parametrize("label", [0, 1])
def test_a_class_that_is_missing(connection: duckdb.DuckDBPyConnection, label: int) -> None:
    """What needs both is null; accuracy and calibration of one class are numbers."""
    alone = [(label, 0.2), (label, 0.5), (label, 0.9)]
    for call in REFERENCES:
        missing = not call.startswith(("accuracy", "expected_calibration_error"))
        assert (asked(connection, call, alone) is None) == missing, call
        assert asked(connection, call, []) is None, call
    # A score of exactly the threshold calls a picture fake.
    share = asked(connection, "accuracy(label, score, 0.5)", alone)
    assert share == pytest.approx([1 / 3, 2 / 3][label], abs=CLOSE)


def test_equal_scores_are_told_apart_by_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """Whichever class is listed first, one score for all is chance: a threshold catches all or nothing."""
    for tied in ([(0, 0.5)] * 3 + [(1, 0.5)], [(1, 0.5)] + [(0, 0.5)] * 3):
        expected = {"auroc(label, score)": 0.5, "average_precision(label, score)": 0.25}
        expected |= {"oracle_accuracy(label, score)": 0.5}
        expected |= {f"tpr_at_fpr(label, score, {fpr})": float(fpr == 1) for fpr in (0, 0.999, 1)}
        for call, value in expected.items():
            assert asked(connection, call, tied) == value, call
    # Without a false alarm: fakes above the highest real, not beside it.
    some: Pictures = [(0, 0.1), (0, 0.7), (1, 0.7), (1, 0.8)]
    assert asked(connection, "tpr_at_fpr(label, score, 0)", some) == 0.5
    # At 0.7 both fakes and a real, above it a fake: three quarters either way.
    assert asked(connection, "oracle_accuracy(label, score)", some) == 0.75
    # The wrong way round nothing is better than calling nothing fake.
    assert asked(connection, "oracle_accuracy(label, score)", [(1, 0.1), (0, 0.9), (0, 0.8)]) == 0.5


def test_nothing_called_fake_has_no_precision(connection: duckdb.DuckDBPyConnection) -> None:
    pictures: Pictures = [(0, 0.1), (1, 0.4)]
    assert asked(connection, "precision_at_base_rate(label, score, 0.5, 0.01)", pictures) is None


def test_pictures_without_a_label_or_a_score_do_not_count(connection: duckdb.DuckDBPyConnection) -> None:
    """As in any aggregate, so that CASE WHEN ... THEN score END chooses pictures: FILTER takes no macro."""
    whole: Pictures = [(0, 0.2), (1, 0.2), (0, 0.6), (1, 0.7), (1, 0.9), (0, 0.1)]
    holes: Pictures = [(None, 0.95), (1, None), (0, None), (None, 0.05), (None, None)]
    for call in REFERENCES:
        assert asked(connection, call, [*whole, *holes]) == pytest.approx(asked(connection, call, whole), abs=CLOSE), (
            call
        )


def test_thresholds_may_differ_between_groups(connection: duckdb.DuckDBPyConnection, rng: np.random.Generator) -> None:
    rows = drawn(rng).with_columns(own=pl.col("number") / 10)
    connection.register("pictures", rows.to_arrow())
    for name, function in (("accuracy", accuracy_score), ("balanced_accuracy", balanced_accuracy_score)):
        found = connection.sql(f"SELECT number, {name}(label, score, own) FROM pictures GROUP BY number").fetchall()
        for number, value in found:
            group = rows.filter(number=number)
            assert value == pytest.approx(function(group["label"], group["score"] >= number / 10), abs=CLOSE)


def test_half_a_million_pictures_take_no_squares(connection: duckdb.DuckDBPyConnection) -> None:
    """One group of 500,000: the test would not end in hours if every two of them were compared."""
    connection.execute(
        "CREATE TABLE many AS SELECT (range % 2)::TINYINT AS label, hash(range) / 18446744073709551616 AS score"
        " FROM range(500000)"
    )
    calls = "average_precision(label, score), auroc(label, score), tpr_at_fpr(label, score, 0.01)"
    found = connection.sql(f"SELECT {calls}, expected_calibration_error(label, score, 15) FROM many").fetchall()[0]
    # Drawn scores tell nothing; 0.01 is more than five standard errors.
    assert found[:3] == pytest.approx([0.5, 0.5, 0.01], abs=0.01)
    assert found[3] == pytest.approx(0.25, abs=0.01)
