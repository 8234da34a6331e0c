"""Processes that do not outlive the ones that started them, however those end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
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
    _end_unless(lambda: os.getppid() == parent)


def end_with_command(variable: str) -> None:
    """Watch in a thread the program that runs this process as a command; end the process at once when it is gone.

    Between both may lie a shell, which lives on when the program is killed. The program is the nearest ancestor
    without `variable`, which it sets for its commands alone, as DVC does with DVC_ROOT; a process that has no such
    variable was not started by it, and goes on.

    Args:
        variable: in the environment of all the program's commands.
    """
    if variable not in os.environ:
        return
    import psutil  # takes longer than all else here, and most processes that import this module do not need it

    chain: list[int] = []
    for ancestor in psutil.Process().parents():
        chain.append(ancestor.pid)
        try:
            if variable not in ancestor.environ():
                break
        except psutil.Error:  # another user's
            break
    _end_unless(lambda: [ancestor.pid for ancestor in psutil.Process().parents()[: len(chain)]] == chain)


def _end_unless(lives: Callable[[], bool]) -> None:
    """Ask again and again, in a thread, and end the process at the first no."""

    def watch() -> None:
        while lives():
            time.sleep(CHECK_SECONDS)
        os._exit(1)  # not sys.exit: that would end this thread only, and wait for the work of others

    threading.Thread(target=watch, daemon=True, name="end with parent").start()
