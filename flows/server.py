"""The server that prefect.toml names: whether it answers, and what a run of the deployment lacks, in one line each."""

from __future__ import annotations

import datetime
from contextlib import suppress
from email.utils import parsedate_to_datetime

import httpx
from prefect.settings import get_current_settings

DEPLOYMENT = "nsnet/nightly-eval"
START = "start it with `make serve` (or `python flows/serve.py start`)"
# A worker says every 30 seconds that it lives.
SILENT_SECONDS = 45.0


def address() -> str:
    """The server's, ending in /api.

    Raises:
        RuntimeError: none is set.
    """
    url = get_current_settings().api.url
    if not url:
        raise RuntimeError(
            "no address for the server: expected api.url in prefect.toml of this folder, or PREFECT_API_URL;"
            " run this at the top of a project"
        )
    return url


def answers(url: str) -> bool:
    """Whether a server is ready at an address."""
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/health").status_code == httpx.codes.OK
    return False


def refuse_without_server() -> str:
    """Stop where no server answers; return its address.

    Raises:
        RuntimeError: none does; with the mend.
    """
    url = address()
    if not answers(url):
        raise RuntimeError(f"no Prefect server answers at {url}: {START}")
    return url


def refuse_incomplete(pool: str) -> None:
    """Stop where a run of the deployment would fail or wait for ever: no server, pool, deployment or living worker.

    Args:
        pool: the deployment's work pool.

    Raises:
        RuntimeError: what is missing, with the mend.
    """
    url = refuse_without_server()
    for kind, path in (("work pool", f"work_pools/{pool}"), ("deployment", f"deployments/name/{DEPLOYMENT}")):
        if httpx.get(f"{url}/{path}").status_code == httpx.codes.NOT_FOUND:
            name = path.removeprefix("work_pools/").removeprefix("deployments/name/")
            raise RuntimeError(f"the server at {url} knows no {kind} {name}: {START}")
    refuse_without_worker(pool)


def refuse_without_worker(pool: str) -> None:
    """Stop where no worker of a pool has said lately that it lives: a run would wait for one.

    Raises:
        RuntimeError: none has.
    """
    if not heard_of_worker(pool):
        raise RuntimeError(f"no worker of pool {pool} was heard of in the last {SILENT_SECONDS:g} s: {START}")


def heard_of_worker(pool: str) -> bool:
    """Whether a worker of a pool has said lately that it lives."""
    answer = httpx.post(f"{address()}/work_pools/{pool}/workers/filter", json={}).raise_for_status()
    # By the server's clock, which has also stamped the workers' words.
    now = parsedate_to_datetime(answer.headers["date"])
    seen = [datetime.datetime.fromisoformat(worker["last_heartbeat_time"]) for worker in answer.json()]
    return any((now - last).total_seconds() < SILENT_SECONDS for last in seen)
