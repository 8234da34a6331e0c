"""A Dask plugin that kills one worker in the middle of a shard, whichever it is; workers import no more than this."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin


class KilledAfterFirstPart(WorkerPlugin):
    """The worker that first leaves a part at the URL is killed then, and none after it.

    Args:
        mark: file in which that worker writes its address.
    """

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def setup(self, worker: Any) -> None:
        from nsnet.cluster.places import Place

        write = Place.write

        def write_and_die(place: Place, name: str, content: bytes) -> None:
            write(place, name, content)
            if name.endswith(".parquet"):
                try:
                    self.mark.touch(exist_ok=False)
                except FileExistsError:
                    return
                self.mark.write_text(worker.address)
                os.kill(os.getpid(), signal.SIGKILL)

        Place.write = write_and_die  # type: ignore[assignment, method-assign]
