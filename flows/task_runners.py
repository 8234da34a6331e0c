"""Who runs the mapped tasks of a flow: threads or processes of this machine, or a cluster of Dask or Ray."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import cloudpickle
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from nsnet.cluster.settings import Cluster
from nsnet.core.workers import end_with_parent


def task_runner(settings: Cluster, flow: str) -> TaskRunner[Any]:
    """The runner that the section cluster names.

    Args:
        settings: with a runner other than none.
        flow: name of the flow's module.

    Returns:
        A context, in which a cluster that has no address runs.

    Raises:
        ImportError: its integration is not installed; says which extra to install.
        ValueError: there is no runner.
    """
    match settings.runner:
        case "threads":
            return ThreadPoolTaskRunner(max_workers=settings.workers)
        case "processes":
            _by_value(cloudpickle, flow)
            return ProcessPoolTaskRunner(settings.workers, initializer=end_with_parent, initargs=(os.getpid(),))
        case "dask":
            return _dask(settings, flow)
        case "ray":
            return _ray(settings, flow)
        case "none":
            raise ValueError("cluster.runner is none: expected threads, processes, dask or ray")


def _dask(settings: Cluster, flow: str) -> TaskRunner[Any]:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as error:
        raise _missing("dask", error) from error
    _by_value(cloudpickle, flow)
    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of each connection
    if settings.address:
        return DaskTaskRunner(address=settings.address)
    # Its page is on any free port of this machine: the usual one may be another cluster's.
    local = {"n_workers": settings.workers, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    return DaskTaskRunner(cluster_kwargs=local)


def _ray(settings: Cluster, flow: str) -> TaskRunner[Any]:
    try:
        from prefect_ray.task_runners import RayTaskRunner
        from ray import cloudpickle as pickler
    except ImportError as error:
        raise _missing("ray", error) from error
    _by_value(pickler, flow)
    if settings.address:
        return RayTaskRunner(address=settings.address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    return RayTaskRunner(init_kwargs={"num_cpus": settings.workers, "include_dashboard": False})


def _by_value(pickler: Any, flow: str) -> None:
    """Have workers, which have nsnet but no folder of flows, be sent what a task takes along of the flow's modules."""
    for module in (flow, __name__):
        pickler.register_pickle_by_value(sys.modules[module])


def _missing(extra: str, error: ImportError) -> ImportError:
    return ImportError(f"cluster.runner is {extra}, which needs pip install 'nsnet[{extra}]' ({error})")
