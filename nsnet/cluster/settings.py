"""The section cluster of params.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from nsnet.core.settings import Count, Section

REMOTE = ("dask", "ray")


class Cluster(Section):
    """Who encodes pictures before the stage `features` looks for them in the store; no stage reads this.

    Attributes:
        runner: none leaves all to the stage; threads and processes are of this machine; dask and ray are clusters.
        workers: shards encoded at a time, each in one thread; of a cluster that is not started here, about how many.
        address: scheduler of Dask or Ray; null starts a cluster on this machine for as long as it is needed.
        shards: fsspec URL that all workers write to; null is store/shards.
        data: fsspec URL that all workers read pictures from; null is data/, at the same path on every machine.
        shard_pictures: pictures (under a condition each) in a shard: what a killed worker loses.
    """

    runner: Literal["none", "threads", "processes", "dask", "ray"]
    workers: Count
    address: str | None
    shards: str | None
    data: str | None
    shard_pictures: Count

    @model_validator(mode="after")
    def _reached(self) -> Cluster:
        if self.address is not None and self.runner not in REMOTE:
            raise ValueError(f"address: a runner {self.runner} has none; expected {' or '.join(REMOTE)}, or null")
        return self
