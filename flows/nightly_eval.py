"""The flow `nsnet`: bring the pipeline up to date and publish its leaderboard."""

from __future__ import annotations

import datetime

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from nsnet.core.paths import Paths
from nsnet.core.settings import load_section
from nsnet.nightly.data_check import check_data
from nsnet.nightly.leaderboard import leaderboard_rows
from nsnet.nightly.reproduction import reproduce
from nsnet.nightly.settings import Nightly

PROJECT = Paths()


@task(cache_policy=NO_CACHE)  # DVC caches; Prefect's keys do not see files on disk
def refuse_drift() -> None:
    """Stop if data/ is not what is committed: `dvc repro` would take any change in silence."""
    settings = load_section(PROJECT.params, "nightly", Nightly)
    get_run_logger().info(check_data(PROJECT, settings, datetime.datetime.now(datetime.UTC).date()))


@task(cache_policy=NO_CACHE)
def run_pipeline() -> None:
    """Run `dvc repro` here, its output in the run's log."""
    reproduce(PROJECT.root, get_run_logger().info)


@task(cache_policy=NO_CACHE)
def publish() -> int:
    """Publish the leaderboard as a table artifact; return its number of rows."""
    origin, rows = leaderboard_rows(PROJECT.root)
    create_table_artifact(rows, key="leaderboard", description=origin)
    return len(rows)


@flow(name="nsnet")
def nsnet() -> int:
    """Nightly evaluation: check the data, reproduce, check what the run made of them, publish."""
    refuse_drift()
    run_pipeline()
    refuse_drift()
    return publish()
