"""Writing tables/: every report as Markdown and CSV, with the notes that make its numbers readable, and the plots."""

from __future__ import annotations

import json

import duckdb
import polars as pl

from nsnet.core.files import atomic_path, safe_path
from nsnet.core.origin import describe
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.printing import csv_text, printable, span
from nsnet.evaluation.contracts import EXTERNAL
from nsnet.evaluation.settings import Evaluate
from nsnet.reporting.curves import curve_rows
from nsnet.reporting.plots import audit_plot, conditions_plot, generators_plot, spectrum_plot
from nsnet.reporting.tables import label, printed, training_sets
from nsnet.reporting.views import open_tables
from nsnet.semantics.contracts import SemanticSpectrum

KEY = ["suite", "generator", "sentence"]
OURS = f"runs WHERE current AND kind <> '{EXTERNAL}'"
IMPORTED = f"""
    SELECT DISTINCT detector, params->>'$.version', coalesce(detector_sha256, '')
    FROM runs WHERE current AND kind = '{EXTERNAL}' ORDER BY ALL
"""


def write_tables(paths: Paths, trained: Paths, settings: Evaluate, flag_auc: float) -> list[str]:
    """Write every report and plot of the evaluation in `paths`.

    Args:
        paths: project of the evaluation; its folder tables/ is written.
        trained: project whose runs were evaluated.
        settings: section evaluate.
        flag_auc: audit.flag_auc.

    Returns:
        Names of the reports.

    Raises:
        FileNotFoundError: a table has not been made.
        ValueError: evaluate.shown names a detector that was not evaluated.
    """
    names = []
    with open_tables(paths, trained, settings) as connection:
        notes = _notes(connection, settings)
        texts = {"bias_audit": [notes[0], *_findings(connection, flag_auc)]}
        for table in printed(connection):
            lines = texts.get(table.report.name, [*notes, *([table.report.note] if table.report.note else [])])
            heading = printable("\n\n".join([f"# {table.title}", *lines]), kept="\n")
            text = f"{heading}\n\n{table.markdown}"
            for suffix, content in (("md", text), ("csv", table.csv)):
                with atomic_path(safe_path(paths.tables, table.name, suffix=f".{suffix}")) as temporary:
                    temporary.write_text(content, encoding="utf-8")
            names.append(table.name)
        _write_plots(connection, paths, trained, settings, flag_auc)
    return names


def origin_of(connection: duckdb.DuckDBPyConnection) -> str:
    """One sentence for all tables: whose pictures were tested, and whose CLIP saw them."""
    suites = [row[0] for row in connection.sql("SELECT DISTINCT suite FROM results ORDER BY 1").fetchall()]
    records = connection.sql("SELECT DISTINCT backbone FROM runs WHERE current ORDER BY 1").fetchall()
    seen = [json.loads(row[0]) for row in records]
    sentences = {describe(suites, record["model"], record["weights"]): None for record in seen}
    return "; ".join(sentences)


def _notes(connection: duckdb.DuckDBPyConnection, settings: Evaluate) -> list[str]:
    def listed(column: str, table: str) -> str:
        rows = connection.sql(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1").fetchall()
        return ", ".join(str(row[0]) for row in rows)

    counts = connection.sql("SELECT min(n_fake), max(n_fake), min(n_real), max(n_real) FROM results").fetchall()[0]
    fakes, reals = span(counts[:2]), span(counts[2:])
    seeds = span(connection.sql("SELECT min(n_seeds), max(n_seeds) FROM detectors").fetchall()[0])
    externals = connection.sql(IMPORTED).fetchall()
    trained = "T"
    if data := listed("data_checksum", OURS):
        trained = f"Trained on data {data} by code {listed('code_checksum', OURS)}; backbone"
        trained += f" {listed('backbone_id', OURS)}; t"
    return [
        f"**{origin_of(connection)}.**",
        "acc is the mean of R.Acc and F.Acc at threshold 0.5, where a score of exactly 0.5 counts as fake (the code of"
        " UnivFD, NPR and their kin calls it real); acc validation is the same at the threshold that was best on the"
        " training set's validation split. ap and auroc need no threshold; ap gives both classes half of the weight."
        " plain acc and plain ap count every image once, as published tables do; where there are as many reals as"
        f" fakes they are acc and ap. Per generator {fakes} fakes against {reals} reals.",
        f"Every number is a mean over {seeds} training seeds. The interval in brackets is for this benchmark again:"
        " other pictures and other seeds; the one of another generator resamples generators too (from three on). Both"
        f" are 95 %, from {settings.bootstrap} draws; differences are paired and, on the leaderboard, to"
        f" {settings.baseline}.",
        "Features and scores may differ in their last bits between processors, and so may what is printed here:"
        " `nsnet verify --against tables/` lists every figure of a run that lies outside of the interval given here.",
        *([_external_note(externals)] if externals else []),
        f"{trained}ested on data {listed('data_checksum', 'results')} by code {listed('code_checksum', 'results')}.",
    ]


def _external_note(externals: list[tuple[str, str, str]]) -> str:
    """Which detectors were imported, in which version, and what their rows cannot say."""
    names = "; ".join(
        " ".join(filter(None, [name, version, f"(sha256 {sha256[:12]})" if sha256 else ""]))
        for name, version, sha256 in externals
    )
    return (
        f"External detectors, whose scores were imported: {names}. What they were trained on is not known here:"
        " held-out and in-domain are those of the training set that they stand beside. They are one training each, so"
        " none of their intervals includes seeds; acc validation is at 0.5 where neither a threshold nor scores of"
        " validation pictures were given."
    )


def _findings(connection: duckdb.DuckDBPyConnection, flag_auc: float) -> list[str]:
    bias = connection.sql("FROM bias_audit").pl()
    flagged = bias.filter("flagged")
    finding = (
        f"{flagged.height} of {bias.height} generators are given away by their files alone: a decision tree that sees"
        f" format, size, aspect, JPEG quality, colour mode and EXIF, and no pixel, reaches AUC {flag_auc} or more"
        " (cross-validated) on their test pictures."
    )
    items = [f"- {suite}/{generator}: {why}" for suite, generator, why in flagged[KEY].iter_rows()]
    return [finding, *(["\n".join(items)] if items else [])]


def _write_plots(
    connection: duckdb.DuckDBPyConnection, paths: Paths, trained: Paths, settings: Evaluate, flag_auc: float
) -> None:
    rows = connection.sql("FROM per_generator WHERE metric = 'acc'").pl()
    world = origin_of(connection).partition(":")[0]
    world = "LAB, simulated" if world == "LAB" else world
    for place in training_sets(connection):
        suffix, words = label(*place)
        mine = rows.filter(training_set=place[0], train_condition=place[1])
        for (suite, condition), part in mine.partition_by("suite", "condition", as_dict=True).items():
            shown = "" if condition == settings.conditions[0] else f"_{condition}"
            title = f"{world}: {suite}, {words}" + (f", tested {condition}" if shown else "")
            target = safe_path(paths.tables / "plots", f"generators_{suite}_{suffix}{shown}", suffix=".svg")
            generators_plot(part, settings.shown, title, target)
    with atomic_path(paths.tables / "curves" / "held_out.csv") as temporary:
        temporary.write_text(csv_text(curve_rows(connection, settings, world)), encoding="utf-8")
    shifted = connection.sql("FROM robustness").pl()
    if shifted["condition"].n_unique() > 1:
        for (suite, training_set), part in shifted.partition_by("suite", "training_set", as_dict=True).items():
            target = safe_path(paths.tables / "plots", f"conditions_{suite}_{training_set}", suffix=".svg")
            conditions_plot(part, settings.shown, f"{world}: {suite}, trained on {training_set}", target)
    bias = connection.sql("FROM bias_audit").pl()
    if bias.is_empty():  # scores were ranked by what their files say: no picture and no caption was read
        return
    audit_plot(bias, flag_auc, paths.tables / "plots" / "bias_audit.svg")
    spectrum: pl.DataFrame = read_table(SemanticSpectrum, trained.table(SemanticSpectrum))
    spectrum_plot(spectrum, paths.tables / "plots" / "spectrum.svg")
