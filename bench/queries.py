"""Time what people ask of a catalogue with five million predictions, and compare with metrics made of those.

    python bench/queries.py

Needs the lab's catalogue (`make repro`): 40 generators, 120 runs. Its predictions are repeated, as those of runs that
are not current, until there are five million. The leaderboard reads means that the evaluation has made; the baseline
is the same accuracy and AUROC from the predictions themselves, by the macros.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import duckdb
from targets import tell

PREDICTIONS, REPEATS = 5_000_000, 7
ASKED = {
    "leaderboard": "FROM leaderboard",
    "generalization_gap": "FROM generalization_gap",
    "hardest_generators": "FROM hardest_generators",
    "robustness": "FROM robustness",
    "versus_published": "FROM versus_published",
    "worst_mistakes of a detector": "FROM worst_mistakes WHERE detector = 'nsnet' AND rank <= 10",
}
BASELINE = """
    SELECT r.training_set, r.detector, s.generator, balanced_accuracy(s.label, p.score, 0.5), auroc(s.label, p.score)
    FROM predictions p
    JOIN runs r USING (run_id)
    JOIN (SELECT DISTINCT image_id, generator, label FROM samples WHERE split = 'test') s USING (image_id)
    WHERE p."current" AND p.split = 'test'
    GROUP BY ALL
"""


def seconds(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    """Median time of a query, rows fetched."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        connection.execute(sql).fetchall()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    source = Path("nsnet.duckdb")
    if not source.exists():
        raise SystemExit(f"{source} does not exist: run `make repro` first")
    with tempfile.TemporaryDirectory() as folder:
        database = Path(shutil.copy(source, Path(folder) / "large.duckdb"))
        with duckdb.connect(str(database)) as connection:
            [(count,)] = connection.execute("SELECT count(*) FROM predictions").fetchall()
            connection.execute(
                "INSERT INTO predictions BY NAME SELECT p.* REPLACE"
                " (p.run_id || '-' || copy AS run_id, false AS \"current\") FROM predictions p, range($copies) c(copy)",
                {"copies": -(-PREDICTIONS // count) - 1},
            )
            connection.execute("CHECKPOINT")
        with duckdb.connect(str(database), read_only=True) as connection:
            [(count,)] = connection.execute("SELECT count(*) FROM predictions").fetchall()
            print(f"{count} predictions, {database.stat().st_size / 1e6:.0f} MB")
            baseline = seconds(connection, BASELINE)
            times = {name: seconds(connection, sql) for name, sql in ASKED.items()}
            for name, took in times.items():
                print(
                    f"{name}: {took * 1e3:.0f} ms; metrics from the predictions take {baseline / took:.0f} times that"
                )
            tell("leaderboard: ms", times["leaderboard"] * 1e3, most=100)
            print(f"baseline, metrics from the predictions: {baseline:.2f} s")


if __name__ == "__main__":
    main()
