"""The flow `nsnet`: bring the pipeline up to date and publish its leaderboard."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from nsnet.corpus import gate
from nsnet.reporting import nightly


@task(cache_policy=NO_CACHE)  # DVC caches; Prefect's keys do not see files on disk
def refuse_drift() -> None:
    """Stop if data/ is not what is committed: `dvc repro` would take any change in silence."""
    gate.refuse_drift(Path())


@task(cache_policy=NO_CACHE)
def reproduce() -> None:
    """Run `dvc repro` here, its output in the run's log."""
    nightly.reproduce(Path(), get_run_logger().info)


@task(cache_policy=NO_CACHE)
def publish() -> int:
    """Publish the leaderboard as a table artifact; return its number of rows."""
    origin, rows = nightly.leaderboard_rows(Path())
    create_table_artifact(rows, key="leaderboard", description=origin)
    return len(rows)


@flow(name="nsnet")
def nsnet() -> int:
    """Nightly evaluation: check the data, reproduce, check what the run made of them, publish."""
    refuse_drift()
    reproduce()
    refuse_drift()
    return publish()
