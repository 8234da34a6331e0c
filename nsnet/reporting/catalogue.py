"""nsnet.duckdb: every table of the project, commented, and the views people ask for first."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import duckdb

from nsnet.core.contracts import Table, table_name
from nsnet.core.files import atomic_path
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import BiasAudit, Duplicates, Images, Samples
from nsnet.evaluation.contracts import Means, Predictions, Results
from nsnet.features.contracts import Features, Patches
from nsnet.semantics.contracts import Captions, SemanticBasis, SemanticSpectrum
from nsnet.training.contracts import Runs

# The released command-line client opens this format; the library's newest it does not.
STORAGE_VERSION = "v1.5.0"

TABLES: dict[str, type[Table]] = {
    table_name(kind): kind
    for kind in (
        *(Images, Samples, Duplicates, BiasAudit, Captions, Features, Patches),
        *(SemanticSpectrum, SemanticBasis, Runs, Predictions, Results, Means),
    )
}

VIEWS = {
    "leaderboard": (
        "Detectors by mean accuracy over held-out generators, with 95 % intervals and the paired difference",
        """
        SELECT r.world, r.training_set, r.detector, r.view, r.null_space, r.contrastive,
               a.n_generators, a.value AS acc, a.ci_low AS acc_low, a.ci_high AS acc_high,
               p.value AS ap, ra.value AS r_acc, fa.value AS f_acc, i.value AS in_domain_acc,
               a.baseline, a.difference AS acc_difference,
               a.difference_low AS acc_difference_low, a.difference_high AS acc_difference_high,
               r.validation_acc, a.suite, a.condition, r.run_id
        FROM means a
        JOIN runs r USING (run_id)
        JOIN means p ON (p.run_id, p.suite, p.condition, p."group", p.metric)
                      = (a.run_id, a.suite, a.condition, 'held-out', 'ap')
        JOIN means ra ON (ra.run_id, ra.suite, ra.condition, ra."group", ra.metric)
                       = (a.run_id, a.suite, a.condition, 'held-out', 'r_acc')
        JOIN means fa ON (fa.run_id, fa.suite, fa.condition, fa."group", fa.metric)
                       = (a.run_id, a.suite, a.condition, 'held-out', 'f_acc')
        LEFT JOIN means i ON (i.run_id, i.suite, i.condition, i."group", i.metric)
                           = (a.run_id, a.suite, a.condition, 'in-domain', 'acc')
        WHERE a."group" = 'held-out' AND a.metric = 'acc'
        ORDER BY a.suite, r.training_set, a.condition, acc DESC, r.detector
        """,
    ),
    "cross_domain": (
        "One row per detector and generator: the four metrics, the interval of acc, n, and what the files give away",
        """
        SELECT r.training_set, r.detector, x.suite, x.generator, x.family, x.in_domain,
               max(x.value) FILTER (x.metric = 'acc') AS acc,
               max(x.ci_low) FILTER (x.metric = 'acc') AS acc_low,
               max(x.ci_high) FILTER (x.metric = 'acc') AS acc_high,
               max(x.value) FILTER (x.metric = 'r_acc') AS r_acc,
               max(x.value) FILTER (x.metric = 'f_acc') AS f_acc,
               max(x.value) FILTER (x.metric = 'ap') AS ap,
               x.n_real, x.n_fake, b.auc AS file_auc, b.flagged AS files_give_label_away, x.condition, x.run_id
        FROM results x JOIN runs r USING (run_id) JOIN bias_audit b USING (suite, generator)
        GROUP BY ALL
        ORDER BY r.training_set, r.detector, x.suite, x.family, x.generator
        """,
    ),
    "generalization_gap": (
        "Mean in-domain accuracy minus mean held-out accuracy, by detector",
        """
        SELECT training_set, detector, suite, condition, in_domain_acc, acc AS held_out_acc, in_domain_acc - acc AS gap
        FROM leaderboard WHERE in_domain_acc IS NOT NULL
        ORDER BY training_set, gap, detector
        """,
    ),
    "hardest_generators": (
        "Held-out generators by the best accuracy any detector reaches on them, hardest first",
        """
        SELECT training_set, suite, condition, generator, family, max(acc) AS best_acc,
               arg_max(detector, acc) AS best_detector, avg(acc) AS mean_acc, file_auc, files_give_label_away
        FROM cross_domain WHERE NOT in_domain
        GROUP BY ALL
        ORDER BY training_set, best_acc, generator
        """,
    ),
}


def build_catalog(paths: Paths) -> list[str]:
    """Build the database from the Parquet tables beside it, whole or not at all; return table names.

    The file is a view of the tables and is not byte-reproducible: nothing depends on it.

    Raises:
        FileNotFoundError: if a table has not been made yet.
    """
    missing = [
        name
        for name, kind in TABLES.items()
        if not list(paths.root.glob(str(paths.table(kind).relative_to(paths.root))))
    ]
    if missing:
        raise FileNotFoundError(f"no Parquet for {', '.join(missing)} in {paths.artifacts}: run `dvc repro`")
    with atomic_path(paths.database) as temporary:
        with duckdb.connect() as connection:
            connection.execute(
                f"ATTACH {_quoted(str(temporary))} AS catalog (STORAGE_VERSION '{STORAGE_VERSION}'); USE catalog"
            )
            for name in TABLES:
                _create(connection, name, paths)
            for name, (comment, sql) in VIEWS.items():
                connection.execute(f"CREATE VIEW {name} AS {sql}")
                connection.execute(f"COMMENT ON VIEW {name} IS {_quoted(comment)}")
            connection.execute("USE memory; DETACH catalog")
        # A stale write-ahead log beside a replaced database would make it unopenable.
        paths.database.with_suffix(".duckdb.wal").unlink(missing_ok=True)
    return list(TABLES)


def _create(connection: duckdb.DuckDBPyConnection, name: str, paths: Paths) -> None:
    schema = TABLES[name].to_schema()
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet({_quoted(str(paths.table(TABLES[name])))})")
    for column, kind in (("feature", "FLOAT"), ("vector", "DOUBLE")):
        if column in schema.columns:
            found = connection.execute(f"SELECT max(len({column})) FROM {name}").fetchone()
            connection.execute(f"ALTER TABLE {name} ALTER {column} TYPE {kind}[{found[0] if found else 0}]")
    if name == "runs":
        seconds = json.loads(paths.cost("runs").read_text()) if paths.cost("runs").exists() else {}
        connection.execute("ALTER TABLE runs ADD COLUMN seconds DOUBLE")
        for run_id, value in seconds.items():
            connection.execute("UPDATE runs SET seconds = ? WHERE run_id = ?", [value, run_id])
        connection.execute("COMMENT ON COLUMN runs.seconds IS 'wall seconds of the training, if it was made here'")
    connection.execute(f"COMMENT ON TABLE {name} IS {_quoted(inspect.getdoc(TABLES[name]) or '')}")
    for column, facts in schema.columns.items():
        connection.execute(f'COMMENT ON COLUMN {name}."{column}" IS {_quoted(facts.description or "")}')


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def open_read_only(database: Path) -> duckdb.DuckDBPyConnection:
    """Open the catalogue for reading.

    Raises:
        FileNotFoundError: if it has not been built.
    """
    if not database.exists():
        raise FileNotFoundError(f"{database} does not exist: run `make repro` or `dvc repro` first")
    return duckdb.connect(str(database), read_only=True, config={"enable_external_access": False})
