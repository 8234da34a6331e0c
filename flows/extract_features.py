"""The flow `nsnet-features`: have features made by a cluster before the stage `features` asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from prefect import Task, flow, get_run_logger, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from task_runners import task_runner

from nsnet.cluster.encoding import encode_shard
from nsnet.cluster.filling import fill_store
from nsnet.cluster.settings import Cluster
from nsnet.cluster.shards import Receipt
from nsnet.core.paths import Paths
from nsnet.core.settings import load_section

PROJECT = Paths()

# A place that does not answer may do so soon. A limit of concurrency on the tag, where one is set, holds for all runs.
encode: Task[..., Any] = task(
    name="encode-shard", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5, tags=["nsnet-features"]
)(encode_shard)


def run_shards(settings: Cluster, url: str, backbone_id: str, names: Sequence[str]) -> Iterator[Receipt | Exception]:
    """What comes of shards, as it comes: tasks mapped over their names."""
    with task_runner(settings, __name__) as runner:
        parameters = {"url": unmapped(url), "backbone_id": unmapped(backbone_id), "name": names}
        for future in as_completed(runner.map(encode, parameters)):
            try:
                yield future.result()
            except Exception as error:  # whatever became of a worker; what is missing is planned again
                yield error


@flow(name="nsnet-features")
def extract_features() -> int:
    """Fill the feature store as the section cluster says; return the number of pictures encoded."""
    settings = load_section(PROJECT.params, "cluster", Cluster)
    report = get_run_logger().info
    if settings.runner == "none":
        report("cluster.runner is none: the stage features encodes what is missing")
        return 0
    return fill_store(PROJECT, settings, partial(run_shards, settings), report)


if __name__ == "__main__":
    extract_features()
