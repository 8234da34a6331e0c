"""What `dvc repro` takes where there is nothing to do, against DVC's own start.

    python bench/repro.py [--rounds 3]

Run in a project whose pipeline has run. The least that any command of DVC takes is its start (`dvc version` without
looks at remotes is `dvc --version`); the rest is the comparison of every dependency with dvc.lock.
"""

from __future__ import annotations

import argparse
import subprocess
import time


def least(rounds: int, *words: str) -> float:
    """Seconds of a command, the least of several."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        found.append(time.perf_counter() - started)
        if "Running stage" in output:
            raise SystemExit("there was something to do: run `make repro` first")
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    nothing, start = least(rounds, "dvc", "repro"), least(rounds, "dvc", "--version")
    print(f"dvc repro with nothing to do: {nothing:.1f} s, of which DVC's start {start:.1f} s")


if __name__ == "__main__":
    main()
