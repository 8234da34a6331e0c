"""The server that prefect.toml names: whether it answers, and what a run of the deployment lacks, in one line each."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import httpx
from prefect.settings import get_current_settings

DEPLOYMENT = "nsnet/nightly-eval"
START = "start it with `make serve` (or `python flows/serve.py start`)"
# A worker says every 30 seconds that it lives; one that has just started may not have yet.
WORKER_SECONDS = 45.0


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
            raise RuntimeError(f"the server at {url} knows no {kind} {path.split('/', 1)[1]}: {START}")
    deadline = time.monotonic() + WORKER_SECONDS
    while not any(worker["status"] == "ONLINE" for worker in _workers(url, pool)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no worker of pool {pool} has been seen for {WORKER_SECONDS:g} s: {START}")
        time.sleep(1)


def _workers(url: str, pool: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        httpx.post(f"{url}/work_pools/{pool}/workers/filter", json={}).raise_for_status().json()
    )
    return found
