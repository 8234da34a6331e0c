"""One HTML page that needs nothing else, and the same charts and tables as files for papers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import duckdb
import jinja2
import polars as pl
import vl_convert
from markupsafe import Markup

from nsnet.core.files import atomic_path, safe_path
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.printing import latex_table, printable, shown
from nsnet.core.provenance import git_revision
from nsnet.evaluation.settings import Evaluate
from nsnet.features.conditions import CLEAN
from nsnet.features.contracts import AppliedConditions
from nsnet.reporting.environments import run_environments
from nsnet.reporting.layout import folded
from nsnet.reporting.report import charts, sections, sources
from nsnet.reporting.report.comparison import compared
from nsnet.reporting.report.doses import dose
from nsnet.reporting.report.gallery import mistakes, rows_of
from nsnet.reporting.report.maps import feature_maps
from nsnet.reporting.report.parts import Chosen, Figure, Section
from nsnet.reporting.views import open_tables
from nsnet.reporting.writing import origin_of
from nsnet.semantics.contracts import SemanticSpectrum

FOLDER = Path(__file__).parent
OPENED = ("leaderboard",)
# Pictures of each label in a map, and mistakes of each detector, training set and label in the gallery.
MAPPED, MISTAKES = 300, 4
PAPER_WIDTH = 560


@dataclass(frozen=True)
class Cell:
    """What a table shows, and whether it is a number."""

    text: str
    number: bool


@dataclass(frozen=True)
class Rows:
    """A table as the page shows it."""

    columns: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class Report:
    """Everything on the page.

    Attributes:
        title: heading.
        origin: whose pictures and whose backbone stand behind the figures.
        facts: revision and versions.
        sections: in order.
    """

    title: str
    origin: str
    facts: str
    sections: list[Section]


def make_report(
    paths: Paths, settings: Evaluate, words: list[str], against: Path | None = None, revision: str = "HEAD"
) -> Report:
    """Gather what the report shows.

    Args:
        paths: the project, evaluated.
        settings: section evaluate; `shown` names the detectors of charts with one line for each.
        words: of semantics.pool.content, for maps by content.
        against: folder of the printed tables of another run or night, to be compared with.
        revision: where git tracks that folder, the commit whose files count.

    Returns:
        The report.

    Raises:
        FileNotFoundError: a table has not been made, or `against` holds none.
        ValueError: git knows no such revision, or there is nothing to compare.
    """
    conditions = read_table(AppliedConditions, paths.table(AppliedConditions))
    # Charts of one condition show pictures as they are, if those are tested.
    condition = CLEAN.name if CLEAN.name in settings.conditions else settings.conditions[0]
    chosen = Chosen(settings.shown, condition)
    with open_tables(paths, paths, settings) as connection:
        parts: list[Section | None] = [
            _comparison(connection, against, revision) if against else None,
            sections.leaderboard(connection, chosen),
            sections.generators(connection, chosen),
            sections.families(connection, chosen),
            sections.robustness(connection, chosen, conditions),
            sections.bias(connection, chosen),
            dose(connection, chosen, words),
            sections.scores(connection, chosen),
            sources.real_sources(connection, chosen),
            sections.spectrum(read_table(SemanticSpectrum, paths.table(SemanticSpectrum))),
            sections.maps(feature_maps(paths, _first_training_set(connection), words, MAPPED)),
            _gallery(connection, paths, settings.shown),
            sources.audit(connection),
            sources.provenance(connection, run_environments(paths)),
        ]
        origin = origin_of(connection)
    world = origin.partition(":")[0]
    drawn = f"{settings.bootstrap} draws, seed {settings.seed}"
    facts = f"nsnet {version('nsnet')}, commit {git_revision(paths.root)}; {drawn}."
    return Report(f"nsnet report, {world}", origin, facts, [part for part in parts if part is not None])


def _comparison(connection: duckdb.DuckDBPyConnection, folder: Path, revision: str) -> Section:
    rows, source = compared(connection, folder, revision)
    title = f"accuracy in {source}", "accuracy now"
    figure = Figure(
        "comparison", charts.change(rows, title), "Every detector on every generator; nothing moved on the diagonal."
    )
    outside = int(rows["outside"].sum())
    words = (
        f"{outside} of {rows.height} accuracies lie outside of the interval given in {source}; largest change first."
    )
    return Section("comparison", f"Against {source}", words, [figure], rows)


def _gallery(connection: duckdb.DuckDBPyConnection, paths: Paths, shown: list[str]) -> Section | None:
    found = mistakes(connection, paths.data, shown, MISTAKES)
    if not found:
        return None
    words = "The most confident mistakes on reals and on fakes, each beside what the detector was shown."
    return Section("mistakes", "Worst mistakes", words, table=rows_of(found), gallery=found)


def _first_training_set(connection: duckdb.DuckDBPyConnection) -> str:
    return str(connection.sql("SELECT min(training_set) FROM detectors WHERE kind <> 'external'").fetchall()[0][0])


def page_of(report: Report) -> str:
    """The page: same figures, same text.

    Args:
        report: from `make_report`.

    Returns:
        HTML that asks no other file and no network for anything.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    # Scripts, styles and JSON are ours or made safe here; names and words are escaped by the template.
    trusted = {
        "style": (FOLDER / "page.css").read_text("utf-8"),
        "script": (FOLDER / "page.js").read_text("utf-8"),
        "vega": vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"),
    }
    specs = {figure.name: _embedded(figure) for part in report.sections for figure in part.figures}
    marked = {name: Markup(text) for name, text in trusted.items()}
    return environment.get_template("page.html").render(
        title=printable(report.title),
        origin=printable(report.origin),
        facts=report.facts,
        sections=report.sections,
        specs=specs,
        tables={part.name: _rows(part.table) for part in report.sections if not part.table.is_empty()},
        opened=OPENED,
        footer="Made by nsnet report; this page asks no network for anything.",
        **marked,
    )


def _embedded(figure: Figure) -> Markup:
    """A chart as JSON that cannot end the script element it stands in."""
    text = json.dumps(figure.spec, separators=(",", ":"), sort_keys=True)
    return Markup(text.replace("<", "\\u003c"))


def _rows(table: pl.DataFrame) -> Rows:
    lines = []
    for row in table.iter_rows():
        lines.append([Cell(shown(value), isinstance(value, int | float)) for value in row])
    return Rows([name.replace("_", " ") for name in table.columns], lines)


def write_page(report: Report, path: Path) -> None:
    """Write the page, whole or not at all.

    Args:
        report: from `make_report`.
        path: .html to write.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(page_of(report), encoding="utf-8")


def write_files(report: Report, folder: Path) -> list[Path]:
    """Write charts as SVG and PNG, and tables as LaTeX (booktabs), for papers.

    Args:
        report: from `make_report`.
        folder: made if it is not there.

    Returns:
        What was written.
    """
    written = []
    for part in report.sections:
        for figure in part.figures:
            spec = _wide(figure.spec)
            for suffix in (".svg", ".png"):
                target = safe_path(folder, figure.name, suffix=suffix)
                with atomic_path(target) as temporary:
                    if suffix == ".svg":
                        temporary.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
                    else:
                        temporary.write_bytes(vl_convert.vegalite_to_png(spec, ppi=200))
                written.append(target)
        if not part.table.is_empty():
            target = safe_path(folder, part.name, suffix=".tex")
            with atomic_path(target) as temporary:
                temporary.write_text(latex_table(folded(part.table)), encoding="utf-8")
            written.append(target)
    return written


def _wide(spec: dict[str, object]) -> dict[str, object]:
    """A chart as wide as a column of text: files have no place that says how wide it is."""
    return spec | {"width": PAPER_WIDTH, "background": "white"}
