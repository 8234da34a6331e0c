"""Worker processes that do not outlive the process that started them."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

CHECK_SECONDS = 2.0


def process_pool(workers: int) -> ProcessPoolExecutor:
    """A pool of spawned processes (forking after a threaded library is loaded can hang).

    A worker whose parent is gone, killed without a chance to say so, ends within seconds.
    """
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=end_with_parent, initargs=(os.getpid(),)
    )


def end_with_parent(parent: int) -> None:
    """Watch, in a thread of this process, whether `parent` still is its parent; end at once when not."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
