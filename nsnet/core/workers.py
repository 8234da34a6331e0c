"""Worker processes that do not outlive the process that started them."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

# Well below the ten seconds that nothing may live on for, and cheap: one system call.
CHECK_SECONDS = 1.0


def process_pool(workers: int) -> ProcessPoolExecutor:
    """A pool of spawned processes (forking after a threaded library is loaded can hang).

    A worker whose parent is gone, killed without a chance to say so, ends within seconds, at
    work or idle; the tracker that Python starts beside spawned processes ends with the last.
    """
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=end_with_parent, initargs=(os.getpid(),)
    )


def end_with_parent(parent: int) -> None:
    """Watch in a thread whether `parent` still is this process's parent; end the process at once when not.

    The number comes from the parent itself: one that was gone before this process could ask
    is told from the process that has taken its children over.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(CHECK_SECONDS)
        os._exit(1)  # not sys.exit: that would end this thread only, and wait for the work of others

    threading.Thread(target=watch, daemon=True, name="end with parent").start()
