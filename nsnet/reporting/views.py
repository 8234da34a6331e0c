"""The views and macros of the catalogue: one file of SQL each, its first line their comment.

The same files give the catalogue its views and the printed tables their rows, so a table
has one definition. A new view is a new file; it may read other views, and call macros.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

from nsnet.core.contracts import Table, table_name
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import BiasAudit, Duplicates, Images, Samples
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
from nsnet.evaluation.settings import Evaluate
from nsnet.features.contracts import AppliedConditions, Features, Patches
from nsnet.reporting.columns import described
from nsnet.reporting.comments import comment, comment_contract, quoted
from nsnet.reporting.nights.tables import create_nights
from nsnet.reporting.published import published
from nsnet.reporting.published.contracts import Published
from nsnet.semantics.contracts import Captions, ImageBasis, RankValidation, SemanticBasis, SemanticSpectrum
from nsnet.training.contracts import Runs

FOLDER = Path(__file__).parent / "sql"
MACROS = FOLDER / "macros"
EXAMPLES = FOLDER / "examples"
COMMENT = "-- "

# The tables that views read, and the rest of the catalogue. Those with a row for every picture are large and few
# views read them: printing leaves them in their files.
READ: tuple[type[Table], ...] = (
    *(BiasAudit, Runs, Results, Means, Differences, ConditionShifts, RealSources, FlipRate),
)
LARGE: tuple[type[Table], ...] = (Images, Samples, Predictions)
TABLES: tuple[type[Table], ...] = (
    *(Images, Samples, Duplicates, BiasAudit, Captions, AppliedConditions, Features, Patches),
    *(SemanticSpectrum, SemanticBasis, ImageBasis, RankValidation),
    *(Runs, Predictions, Results, Means, Differences, ConditionShifts, RealSources, FlipRate),
)
# Of these the catalogue holds the runs of earlier settings and code too, until they are pruned.
KEPT: tuple[type[Table], ...] = (Runs, Predictions, Results)
CURRENT = "the run is one of those that the settings ask for now; views look at no other"
SETTINGS = {"key": "name in section evaluate of params.yaml", "value": "its value; JSON where it is no text"}


@dataclass(frozen=True)
class Definition:
    """A view's or macro's comment, and its SQL: a query, or parameters and the expression that they stand in."""

    comment: str
    sql: str


@functools.cache
def views() -> dict[str, Definition]:
    """All views by name, each after those that it reads.

    Raises:
        ValueError: a file does not begin with a comment.
    """
    return _definitions(FOLDER, r"(?:FROM|JOIN)\s+(\w+)")


@functools.cache
def macros() -> dict[str, Definition]:
    """All macros by name, each after those that it calls.

    Raises:
        ValueError: a file does not begin with a comment.
    """
    return _definitions(MACROS, r"(\w+)\(")


def _definitions(folder: Path, mention: str) -> dict[str, Definition]:
    """What the files of a folder define, each after those that its SQL mentions."""
    definitions = {}
    for file in sorted(folder.glob("*.sql")):
        first, _, sql = file.read_text(encoding="utf-8").partition("\n")
        if not first.startswith(COMMENT):
            raise ValueError(f"{file}: its first line is its comment and must begin with {COMMENT!r}")
        definitions[file.stem] = Definition(first.removeprefix(COMMENT), sql)
    # Sorted: a set would give every process an order of its own.
    needs = {name: sorted(definitions.keys() & re.findall(mention, found.sql)) for name, found in definitions.items()}
    return {name: definitions[name] for name in TopologicalSorter(needs).static_order()}


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create and comment every macro."""
    for name, macro in macros().items():
        connection.execute(f"CREATE MACRO {name}{macro.sql}")
        connection.execute(f"COMMENT ON MACRO {name} IS {quoted(macro.comment)}")


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create and comment every macro, view and column of a view; the tables that they read must be there.

    Raises:
        KeyError: a column is described nowhere.
    """
    create_macros(connection)
    for name, view in views().items():
        connection.execute(f"CREATE VIEW {name} AS {view.sql}")
        connection.execute(f"COMMENT ON VIEW {name} IS {quoted(view.comment)}")
        for column, *_ in connection.execute(f"DESCRIBE {name}").fetchall():
            connection.execute(f'COMMENT ON COLUMN {name}."{column}" IS {quoted(described(name, column))}')


def create_settings(connection: duckdb.DuckDBPyConnection, settings: Evaluate) -> None:
    """Create the table settings, from which views learn the baseline.

    Args:
        connection: a catalogue without that table.
        settings: section evaluate.
    """
    connection.execute("CREATE TABLE settings (key VARCHAR, value VARCHAR)")
    for key, value in settings.model_dump(mode="json").items():
        connection.execute(
            "INSERT INTO settings VALUES (?, ?)", [key, value if isinstance(value, str) else json.dumps(value)]
        )
    comment(connection, "settings", "What the evaluation was asked for", SETTINGS)


def create_published(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table of figures that others published, from the package: no stage makes it.

    Args:
        connection: a catalogue without that table.
    """
    name = table_name(Published)
    connection.register("rows", published().to_arrow())
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
    connection.unregister("rows")
    comment_contract(connection, name, Published)


def rows_of(kind: type[Table], paths: Paths, trained: Paths) -> str:
    """The rows of a table, in SQL: runs are ours, and the external detectors beside them.

    Args:
        kind: the table.
        paths: project of the evaluation.
        trained: project whose runs were evaluated.

    Returns:
        What to put behind FROM.
    """
    files = [trained.table(Runs), paths.table(ExternalRuns)] if kind is Runs else [paths.table(kind)]
    return f"read_parquet([{', '.join(quoted(str(file)) for file in files)}])"


def missing_tables(paths: Paths, kinds: Iterable[type[Table]]) -> list[str]:
    """Names of the tables that have not been made.

    Args:
        paths: of the project.
        kinds: the tables.

    Returns:
        Names, in the order of `kinds`.
    """
    return [table_name(kind) for kind in kinds if not paths.table(kind).exists()]


def open_tables(paths: Paths, trained: Paths, settings: Evaluate) -> duckdb.DuckDBPyConnection:
    """The views over the Parquet tables of an evaluation, in memory: what printed tables are made from.

    Args:
        paths: project of the evaluation.
        trained: project whose runs were evaluated.
        settings: section evaluate.

    Returns:
        A connection, to be closed by the caller.

    Raises:
        FileNotFoundError: a table has not been made.
    """
    kinds = (*READ, *LARGE)
    made: list[type[Table]] = [ExternalRuns, *(kind for kind in kinds if kind is not Runs)]
    missing = [*missing_tables(trained, [Runs]), *missing_tables(paths, made)]
    if missing:
        raise FileNotFoundError(f"no Parquet for {', '.join(missing)} in {paths.artifacts}: run `dvc repro`")
    connection = duckdb.connect()
    # Sums of floats in any order differ in their last bits; printed tables must not.
    connection.execute("SET threads = 1")
    for kind in kinds:
        extra = ', true AS "current"' if kind in KEPT else ""
        what = "VIEW" if kind in LARGE else "TABLE"
        connection.execute(f"CREATE {what} {table_name(kind)} AS SELECT *{extra} FROM {rows_of(kind, paths, trained)}")
    create_settings(connection, settings)
    create_published(connection)
    create_nights(connection, paths.nights)
    create_views(connection)
    return connection
