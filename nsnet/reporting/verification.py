"""Does a run reach what is committed? Every figure against the interval that was printed for it."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from nsnet.reporting.layout import HIGH, LOW, triples
from nsnet.reporting.tables import REPORTS, Printed, printed


@dataclass(frozen=True)
class Finding:
    """A figure outside of the committed interval, or a row on one side only (then `committed` or `value` is empty)."""

    figure: str
    committed: str
    interval: str
    value: str


@dataclass(frozen=True)
class Verification:
    """How many figures were compared, where the committed ones came from, and what differs."""

    compared: int
    source: str
    findings: list[Finding]


def verify(connection: duckdb.DuckDBPyConnection, folder: Path, revision: str) -> Verification:
    """Compare an evaluation with committed tables: a value must lie in [low, high], the ends included.

    Args:
        connection: with the views of the evaluation (`views.open_tables`).
        folder: of the tables, such as tables/.
        revision: where git tracks the folder, the commit whose files count; else they count as they lie.

    Returns:
        What was compared with what, and every figure that differs.

    Raises:
        FileNotFoundError: the folder holds no tables.
        ValueError: git knows no such revision.
    """
    files, source = committed_tables(folder, revision)
    findings: list[Finding] = []
    compared = 0
    known = set()
    for table in printed(connection):
        known.add(table.name)
        if not triples(table.rows.columns):
            continue
        if table.name not in files:
            findings.append(Finding(table.name, "", "", "a table that is not among the committed ones"))
            continue
        count, different = _compare(table, _read(files[table.name]))
        compared += count
        findings += different
    tables = tuple(f"{report.name}_" if report.each else report.name for report in REPORTS)
    gone = [name for name in files if name not in known and name.startswith(tables)]
    findings += [Finding(name, "a table that this run does not give", "", "") for name in gone]
    return Verification(compared, source, findings)


def committed_tables(folder: Path, revision: str) -> tuple[dict[str, str], str]:
    """CSV files of a folder by name without ending, and where they were read: git's, or as they lie.

    Args:
        folder: of the tables.
        revision: a commit; counts where git tracks the folder.

    Returns:
        Text by name, and a phrase.

    Raises:
        FileNotFoundError: no CSV files.
        ValueError: git tracks the folder but knows no such revision.
    """
    tracked = _git(folder, "ls-files", "--", "*.csv")
    if tracked:
        listed = _git(folder, "ls-tree", "--name-only", revision, "./")
        if listed is None:
            raise ValueError(f"git knows no revision {revision!r} of {folder}; name a commit with --revision")
        names = [Path(name).name for name in listed.splitlines() if name.endswith(".csv")]
        files = {Path(name).stem: _git(folder, "show", f"{revision}:./{name}") or "" for name in names}
        source = f"{folder} at {revision}"
    else:
        files = {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.csv"))}
        source = f"{folder} as it lies"
    if not files:
        raise FileNotFoundError(f"no CSV tables in {source}: expected files such as leaderboard_*.csv")
    return files, source


def _git(folder: Path, *words: str) -> str | None:
    try:
        finished = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return finished.stdout


def _read(text: str) -> pl.DataFrame:
    """Every cell as text: names may look like numbers."""
    return pl.read_csv(io.StringIO(text), infer_schema=False)


def _compare(table: Printed, old: pl.DataFrame) -> tuple[int, list[Finding]]:
    """Number of figures compared, and the findings; both sides are read from CSV, digits alike."""
    new, key = _read(table.csv), list(table.report.key)
    metrics = [name for name in triples(new.columns) if name in triples(old.columns)]
    unknown = [name for name in [*key, *triples(new.columns)] if name not in old.columns]
    if unknown:
        return 0, [Finding(table.name, f"has no column {', '.join(unknown)}", "", "another layout")]
    rows, others = _by_key(new, key), _by_key(old, key)
    findings = [
        Finding(_figure(table, names), "", "", "a row that is not committed") for names in rows.keys() - others.keys()
    ]
    findings += [
        Finding(_figure(table, names), "a row that this run does not give", "", "")
        for names in others.keys() - rows.keys()
    ]
    compared = 0
    for names in rows.keys() & others.keys():
        for metric in metrics:
            value, was = rows[names][metric], others[names][metric]
            compared += bool(value or was)
            low, high = others[names][metric + LOW], others[names][metric + HIGH]
            if not _inside(value, low, high):
                findings.append(
                    Finding(_figure(table, names, metric), was or "none", f"{low}..{high}", value or "none")
                )
    return compared, sorted(findings, key=lambda finding: finding.figure)


def _inside(value: str | None, low: str | None, high: str | None) -> bool:
    if not value or not low or not high:
        return not value and not low
    return float(low) <= float(value) <= float(high)


def _by_key(frame: pl.DataFrame, key: list[str]) -> dict[tuple[str, ...], dict[str, str | None]]:
    return {tuple(str(row[name]) for name in key): row for row in frame.iter_rows(named=True)}


def _figure(table: Printed, names: tuple[str, ...], metric: str = "") -> str:
    return " ".join(part for part in (f"{table.name}:", *names, metric) if part)
