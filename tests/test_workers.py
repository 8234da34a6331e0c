"""Workers end with the process that started them, however it ended, and stages with the DVC that runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from nsnet.core.workers import process_pool
from tests.conftest import ROOT, change, environment, make_project
from tests.faults import left

BUSY = "[pool.submit(time.sleep, 600) for _ in range(4)]"
IDLE = "[future.result() for future in [pool.submit(time.sleep, 0.3) for _ in range(4)]]"
SCRIPT = """
import time
from nsnet.core.workers import process_pool

if __name__ == "__main__":
    pool = process_pool(2)
    {tasks}
    print("started", flush=True)
    time.sleep(600)
"""
LIMIT = 10.0
# A program that runs a command as DVC does: its variable is the command's alone.
PROGRAM = """
import os, subprocess, sys
subprocess.run(sys.argv[1:], env={**os.environ, "OF_PROGRAM": "1"})
"""
COMMAND = """
import subprocess, sys, time
from nsnet.core.workers import end_with_command, process_pool

if __name__ == "__main__":
    end_with_command("OF_PROGRAM")
    with process_pool(1) as pool:
        pool.submit(time.sleep, 600)
        print("started", flush=True)
        time.sleep(600)
"""


@pytest.mark.parametrize("tasks", [BUSY, IDLE], ids=["at work", "idle"])
def test_nothing_lives_on_after_a_killed_parent(tmp_path: Path, tasks: str) -> None:
    script = tmp_path / "stage.py"
    script.write_text(SCRIPT.format(tasks=tasks))
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment(ROOT))
    assert parent.stdout is not None
    with parent.stdout:
        assert parent.stdout.readline() == b"started\n"
        started = time.monotonic()
        while len(children := psutil.Process(parent.pid).children(recursive=True)) < 3:
            assert time.monotonic() - started < 60, "two workers and Python's resource tracker"
            time.sleep(0.1)
        time.sleep(1)  # one killed before its worker has asked is the next test's
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    assert left(children, LIMIT) == []


def test_a_parent_that_was_gone_before_its_worker_asked() -> None:
    """The worker has another parent than the one that started it: it must not take that one for its own."""
    code = "import time; from nsnet.core.workers import end_with_parent; end_with_parent(2**22 + 1); time.sleep(60)"
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], env=environment(ROOT), timeout=60, check=False)
    assert ended.returncode == 1 and time.monotonic() - began < LIMIT


def test_a_living_parent_keeps_its_workers() -> None:
    with process_pool(1) as pool:
        first = pool.submit(os.getpid).result()
        pool.submit(time.sleep, 2.5).result()  # longer than two checks
        assert pool.submit(os.getpid).result() == first


@pytest.mark.parametrize("shells", [0, 1, 2])
@pytest.mark.parametrize("killed", ["program", "shell"])
def test_a_command_ends_with_its_program_and_with_every_shell_between(tmp_path: Path, shells: int, killed: str) -> None:
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    words = f"{sys.executable} {script}; true"  # without more to do, a shell would become its command
    command = {
        0: words.removesuffix("; true").split(),
        1: ["sh", "-c", words],
        2: ["sh", "-c", f"sh -c '{words}'; true"],
    }
    started = [sys.executable, "-c", PROGRAM, *command[shells]]
    with subprocess.Popen(started, stdout=subprocess.PIPE, env=environment(ROOT)) as program:
        assert program.stdout is not None and program.stdout.readline() == b"started\n"
        children = psutil.Process(program.pid).children(recursive=True)
        assert len(children) == shells + 3, "shells, the command, its worker and Python's resource tracker"
        (program if killed == "program" or not shells else children[0]).send_signal(signal.SIGKILL)
        assert left(children, LIMIT) == []


def test_a_living_program_keeps_its_commands() -> None:
    code = "import time; from nsnet.core.workers import end_with_command; end_with_command('OF_PROGRAM'); time.sleep(3)"
    for program in ([sys.executable, "-c", PROGRAM], []):  # without the variable there is no program
        subprocess.run([*program, sys.executable, "-W", "error", "-c", code], env=environment(ROOT), check=True)


def test_a_stage_ends_with_the_dvc_that_runs_it(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    change(project, "lab", train_per_class=800, workers=2)
    with subprocess.Popen(["dvc", "repro", "lab"], cwd=project, env=environment(project)) as dvc:
        started = time.monotonic()
        while not list(project.glob("lab/train/*/*/*.jpg")):
            assert dvc.poll() is None and time.monotonic() - started < 120
            time.sleep(0.05)
        children = psutil.Process(dvc.pid).children(recursive=True)
        assert len(children) >= 4, "the stage, two workers and Python's resource tracker"
        dvc.kill()
        assert left(children, LIMIT) == []
