"""Files with scores of external detectors: read, every fault noted, scores as probabilities of fake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nsnet.core.provenance import file_sha256
from nsnet.corpus.rows import mistyped, read_rows
from nsnet.evaluation.scales import SCALES, probabilities, scale_of
from nsnet.evaluation.score_faults import Faults
from nsnet.features.conditions import CLEAN

# One of the first three and score are required; the rest is for files of several detectors, or without a corpus.
PICTURE = ("image_id", "path", "file")
SAID = ("detector", "condition", "version", "sha256")
ROLE = ("label", "suite", "generator", "family", "split", "real_pool")
COLUMNS = (*PICTURE, "score", *SAID, *ROLE)


@dataclass(frozen=True)
class Claims:
    """What is said of scores where their file does not say it.

    Attributes:
        detector: its name; where the file names one detector, another name for it.
        condition: what the pictures had been put through.
        version, sha256: of the detector.
        scale: of the scores, a name in `SCALES`.
    """

    detector: str | None = None
    condition: str = CLEAN.name
    version: str = ""
    sha256: str = ""
    scale: str = "probability"


def read_scores(file: Path, claims: Claims, faults: Faults, unnamed: str = "") -> pl.DataFrame:
    """Read a file with scores.

    Args:
        file: csv, jsonl or parquet.
        claims: what its columns do not say.
        faults: gets those of single rows.
        unnamed: detector of rows where neither file nor claims name one; empty: there must be a name.

    Returns:
        place (line or row, for messages), image_id and path (empty where not given), score (probability of fake;
        NaN where there is a fault), source and source_sha256, and as text the columns of `SAID` and, where the file
        has them, of `ROLE`. Rows that name no picture are left out.

    Raises:
        ValueError: the file cannot be read, lacks columns, or there is no such scale.
    """
    scale_of(claims.scale)
    frame, unit, first = read_rows(file)
    _refuse_columns(file, frame.columns, bool(claims.detector or unnamed))
    texts = {name: _text(frame, name) for name in (*PICTURE, *SAID) if name in frame.columns}
    if frame.is_empty():
        raise ValueError(f"{file} has no rows: expected one for each picture")
    claimed = {name: getattr(claims, name) or "" for name in SAID}
    claimed["detector"] = claimed["detector"] or unnamed
    path = texts.get("path", texts.get("file", pl.lit("")))
    rows = frame.with_row_index("place", offset=first).select(
        pl.format(f"{unit} {{}}", "place").alias("place"),
        texts.get("image_id", pl.lit("")).alias("image_id"),
        path.alias("path"),
        _number(frame).alias("number"),
        _text(frame, "score").alias("written"),
        *(_filled(texts.get(name), claimed).alias(name) for name, claimed in claimed.items()),
        *(_text(frame, name).alias(name) for name in ROLE if name in frame.columns),
    )
    rows = _renamed(rows, claims, faults)
    faults.add("rows without a picture", _lines(rows, (pl.col("image_id") == "") & (pl.col("path") == ""), "no path"))
    faults.add("rows without a detector", _lines(rows, pl.col("detector") == "", "no detector"))
    _note_numbers(rows, claims.scale, faults)
    good = rows["number"].is_finite().fill_null(False) & _within(rows["number"], claims.scale)
    score = np.full(rows.height, np.nan)
    score[good.to_numpy()] = probabilities(rows["number"].filter(good).to_numpy(), claims.scale)
    facts = {"source": pl.lit(file.name), "source_sha256": pl.lit(file_sha256(file))}
    named = (pl.col("image_id") != "") | (pl.col("path") != "")
    return rows.drop("number", "written").with_columns(score=score, **facts).filter(named)


def note_versions(rows: pl.DataFrame, faults: Faults) -> None:
    """One detector is one version of it, in however many files.

    Args:
        rows: of `read_scores`, of all files.
        faults: gets detectors with several, and checksums that are none.
    """
    wrong = (pl.col("sha256") != "") & ~pl.col("sha256").str.contains("^[0-9a-f]{64}$")
    sums = rows.filter(wrong)["sha256"].unique().sort()
    faults.add("checksums", (f"sha256 {text!r}; expected 64 hexadecimal digits, in lower case" for text in sums))
    for name in ("version", "sha256"):
        mixed = rows.group_by("detector").agg(pl.col(name).unique().sort()).filter(pl.col(name).list.len() > 1)
        faults.add(
            "detectors in several versions",
            (
                f"detector {detector!r} has {name} {', '.join(map(repr, found))}: one table holds one version of a"
                " detector; give each a name of its own in column detector"
                for detector, found in mixed.sort("detector").select("detector", name).iter_rows()
            ),
        )


def _refuse_columns(file: Path, columns: list[str], named: bool) -> None:
    expected = []
    if set(PICTURE).isdisjoint(columns):
        expected.append("path or image_id")
    if "score" not in columns:
        expected.append("score")
    if not named and "detector" not in columns:
        expected.append("detector (or --detector NAME)")
    lines = [f"  no column {name}" for name in expected]
    lines += mistyped(columns, COLUMNS, [name for name in COLUMNS if name not in columns])
    if lines:
        raise ValueError(f"{file} has {len(lines)} fault(s), with columns {', '.join(columns)}:\n" + "\n".join(lines))


def _text(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).fill_null("").str.strip_chars()


def _number(frame: pl.DataFrame) -> pl.Expr:
    """Scores as float64, of any numeric column exactly; null where text is no number."""
    column = pl.col("score") if frame.schema["score"].is_numeric() else _text(frame, "score")
    return column.cast(pl.Float64, strict=False)


def _filled(column: pl.Expr | None, claimed: str) -> pl.Expr:
    if column is None:
        return pl.lit(claimed)
    return pl.when(column == "").then(pl.lit(claimed)).otherwise(column)


def _renamed(rows: pl.DataFrame, claims: Claims, faults: Faults) -> pl.DataFrame:
    if claims.detector is None:
        return rows
    names = rows["detector"].unique().sort().to_list()
    if len(names) > 1:
        faults.add(
            "names for several detectors",
            [f"--detector {claims.detector} is one name, the column detector has {', '.join(names)}: leave it out"],
        )
    return rows.with_columns(detector=pl.lit(claims.detector))


def _note_numbers(rows: pl.DataFrame, scale: str, faults: Faults) -> None:
    known = SCALES[scale]
    number = pl.col("number")
    faults.add("scores that are missing", _lines(rows, pl.col("written") == "", "no score"))
    text = number.is_null() & (pl.col("written") != "")
    faults.add("scores that are no numbers", _scores(rows, text, "expected a number"))
    faults.add("scores that are not finite", _scores(rows, ~number.is_finite(), "expected a finite number"))
    beyond = number.is_finite() & ~number.is_between(known.low, known.high)
    hint = f"expected {known.low:g}..{known.high:g}"
    if scale == "probability":
        hint += ", or another scale: --scale logit, llr or percent"
    faults.add("scores out of range", _scores(rows, beyond, hint))


def _within(numbers: pl.Series, scale: str) -> pl.Series:
    known = SCALES[scale]
    return numbers.is_between(known.low, known.high).fill_null(False)


def _lines(rows: pl.DataFrame, wrong: pl.Expr, text: str) -> Iterator[str]:
    yield from (f"{place}: {text}" for place in rows.filter(wrong)["place"])


def _scores(rows: pl.DataFrame, wrong: pl.Expr, expected: str) -> Iterator[str]:
    found = rows.filter(wrong).select("place", "written").iter_rows()
    yield from (f"{place}: score {written!r}; {expected}" for place, written in found)
