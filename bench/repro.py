"""What `dvc repro` takes where there is nothing to do, against DVC's own start.

    python bench/repro.py [--rounds 2]

Run in a project whose pipeline has run; the first run brings it up to date. The least that any command of DVC takes is
its start (`dvc --version`); the rest is the comparison of every dependency with dvc.lock, and the stage `catalog`,
which has no output in DVC and always looks whether its database is that of these tables.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import time

ALWAYS = {"catalog"}


def least(rounds: int, *words: str) -> float:
    """Seconds of a command, the least of several runs; what the first has to do is done then, and not counted."""
    found = []
    for number in range(rounds):
        started = time.perf_counter()
        output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        took = time.perf_counter() - started
        if set(stages := re.findall(r"Running stage '(\w+)'", output)) <= ALWAYS:
            found.append(took)
        elif number:
            raise SystemExit(f"there was something to do: {', '.join(stages)}")
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="at least 2")
    rounds = max(2, parser.parse_args().rounds)
    nothing, start = least(rounds, "dvc", "repro"), least(rounds, "dvc", "--version")
    print(f"dvc repro with nothing to do: {nothing:.1f} s, of which DVC's start {start:.1f} s")


if __name__ == "__main__":
    main()
