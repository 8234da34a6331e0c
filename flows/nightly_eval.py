"""The flow `nsnet`: bring the pipeline up to date, judge what has changed, publish what stands the comparison.

    prefect deployment run nsnet/nightly-eval --watch
    python flows/nightly_eval.py

The work is in nsnet.nightly; here it gets Prefect's retries, logs, artifacts and states.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys

from extract_features import extract_features
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.tasks import exponential_backoff

from nsnet.cluster.settings import Cluster
from nsnet.core.paths import Paths
from nsnet.core.settings import load_section
from nsnet.core.workers import end_with_parent
from nsnet.nightly.costs import costs_since, look
from nsnet.nightly.data_check import check_data
from nsnet.nightly.environment import check_environment
from nsnet.nightly.findings import Finding
from nsnet.nightly.leaderboard import changed_rows
from nsnet.nightly.night import Night, Recorded, judge, record
from nsnet.nightly.pull import pull_data
from nsnet.nightly.records import utc_now
from nsnet.nightly.reproduction import reproduce
from nsnet.nightly.settings import Nightly
from nsnet.profiles.trials import Trial, prepare_trial

PROJECT = Paths()


def settings() -> Nightly:
    """Section nightly of the project."""
    return load_section(PROJECT.params, "nightly", Nightly)


@task(cache_policy=NO_CACHE)  # DVC caches; Prefect's keys do not see files on disk
def look_at_environment() -> list[Finding]:
    """Room on the disk and versions of packages."""
    return check_environment(PROJECT, settings())


@task(cache_policy=NO_CACHE, retries=3, retry_delay_seconds=exponential_backoff(10), retry_jitter_factor=0.5)
def pull() -> None:
    """Bring data/ to what is committed, from DVC's remote if there is one: a network may recover."""
    get_run_logger().info(pull_data(PROJECT.root))


@task(cache_policy=NO_CACHE)
def refuse_drift() -> list[Finding]:
    """Whether data/ is what is committed: `dvc repro` would take any change in silence."""
    try:
        get_run_logger().info(check_data(PROJECT, settings(), utc_now().date()))
    except ValueError as error:
        get_run_logger().error(str(error))
        return [Finding("corpus-drift", "data", str(error))]
    return []


@task(cache_policy=NO_CACHE)
def run_pipeline(night: Night) -> Night:
    """Run `dvc repro` here, its output in the run's log; a cluster, if there is one, encodes before it.

    Not tried again: it would do the same.
    """
    before = look(PROJECT)
    try:
        if load_section(PROJECT.params, "cluster", Cluster).runner != "none":
            reproduce(PROJECT.root, get_run_logger().info, "corpus")  # says which pictures there are
            extract_features()
        reproduce(PROJECT.root, get_run_logger().info)
        night.reproduced = True
    except (RuntimeError, ValueError, OSError) as error:
        night.findings.append(Finding("pipeline-failed", "dvc repro", str(error)))
    night.costs = costs_since(PROJECT, before)
    return night


@task(cache_policy=NO_CACHE)
def compare(night: Night) -> Night:
    """Hold what was made against the last accepted night."""
    judge(PROJECT, night)
    for finding in night.findings:
        (get_run_logger().error if finding.blocks else get_run_logger().warning)(finding.line)
    return night


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)  # a reader may lock the file
def publish(night: Night) -> Recorded:
    """Append the night and swap the published catalogue; a refused night changes no published table."""
    return record(PROJECT, night)


@task(cache_policy=NO_CACHE)
def show(night: Night, recorded: Recorded) -> None:
    """Artifacts: leaderboard with what has changed, findings, and where the published files are."""
    verdict = f"night {recorded.night} {'refused' if night.refused else 'accepted'}"
    if night.reproduced:
        origin, rows = changed_rows(PROJECT.root, night.changes)
        create_table_artifact(rows, key="leaderboard", description=f"{origin}; {verdict}")
    found = [{"finding": one.finding, "subject": one.subject, "detail": one.detail} for one in night.findings]
    nothing = [{"finding": "none", "subject": "", "detail": ""}]
    create_table_artifact(found or nothing, key="findings", description=verdict)
    if recorded.published:
        catalogue = PROJECT.published.resolve().as_uri()
        text = f"catalogue as published, of night {recorded.published.night}"
        create_link_artifact(catalogue, text, key="published", description=text)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=10)
def notify(block: str, subject: str, body: str) -> None:
    """Tell a block of Prefect's, such as slack-webhook/NAME or email-server-credentials' kin, of the findings."""
    told = Block.load(block)
    if not isinstance(told, NotificationBlock):
        raise ValueError(f"nightly.notify: {block} is a block that cannot notify; expected one such as slack-webhook")
    sent = told.notify(body, subject)  # some blocks send at once, others give something to wait for
    if inspect.iscoroutine(sent):
        asyncio.run(sent)


@flow(name="nsnet")
def nsnet(seed: int | None = None, suite: str | None = None, detectors: list[str] | None = None) -> State[object]:
    """Nightly evaluation: environment, data, gate, pipeline, gate again, comparison, publication.

    With a parameter it is a trial: other settings in a folder of their own, a leaderboard to look at,
    and nothing published.

    Args:
        seed: the only training seed.
        suite: the only suite that the leaderboard shows.
        detectors: the only detectors, names in params.yaml.
    """
    if "PREFECT__FLOW_RUN_ID" in os.environ:  # a worker started this process, and may be killed
        end_with_parent(os.getppid())
    trial = Trial(seed, suite, tuple(detectors or ()))
    if trial.asked:
        return try_out(trial)
    night = Night()
    night.findings += look_at_environment()
    if not night.refused:
        if pull(return_state=True).is_failed():
            night.findings.append(
                Finding("pull-failed", "data", "the log has DVC's reason; three retries did not help")
            )
        night.findings += refuse_drift()
    if not night.refused:
        night = run_pipeline(night)
        night.findings += refuse_drift()
    night = compare(night)
    recorded = publish(night)
    show(night, recorded)
    names = ", ".join(dict.fromkeys(one.finding for one in night.findings))
    said = f"night {recorded.night}: {names or 'nothing found'}"
    for block in settings().notify if night.findings else ():
        # A notice that does not arrive changes no night.
        notify(block, f"nsnet {said}", "\n".join(one.line for one in night.findings), return_state=True)
    if night.refused:
        return Failed(message=f"{said}; published stays {_published(recorded)}")
    return Completed(message=said, name="Completed with findings" if night.findings else "Completed")


@task(cache_policy=NO_CACHE)
def try_out(trial: Trial) -> State[object]:
    """Run the pipeline with other settings in a folder of its own, and show its leaderboard."""
    folder = prepare_trial(PROJECT, trial)
    reproduce(folder, get_run_logger().info)
    origin, rows = changed_rows(folder, [], trial.suite)
    create_table_artifact(rows, key="trial", description=f"{origin}; {trial.words}, in {folder}")
    return Completed(message=f"trial: {trial.words}; nothing published")


def _published(recorded: Recorded) -> str:
    return f"that of night {recorded.published.night}" if recorded.published else "nothing: no night was accepted yet"


if __name__ == "__main__":
    from server import refuse_without_server

    try:
        refuse_without_server()
    except RuntimeError as error:
        sys.exit(f"error: {error}")
    sys.exit(0 if nsnet(return_state=True).is_completed() else 1)
