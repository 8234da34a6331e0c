"""All benches that a page shows, one after the other, and docs/bench.md of what they printed.

    make bench                        # 9 to 14 minutes on two cores; after `make repro`
    python bench/run.py --only Gram   # some of them, printed, no page

Each is a process of its own, whose last figures with a target become the page's table. Nothing is asserted: a target
that is missed is told as missed. Ratios of one run count, single seconds are this machine's.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
from targets import Target, told

from nsnet.core.files import atomic_path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs/bench.md"
PACKAGES = ("torch", "open_clip_torch", "openvino", "numpy", "pillow", "duckdb", "polars", "dvc", "scikit-learn")
LIMIT = 900


class Bench(NamedTuple):
    """A command below bench/, what it shows, and the package that it needs beside what all do."""

    name: str
    command: str
    shows: str
    needs: str | None = None


BENCHES = (
    Bench(
        "Extraction, lab CLIP",
        "extraction.py speed --counts 1,10,100,500,7500",
        "Pictures to tables of features, against a loop that opens, shows and encodes one picture at a time, and"
        " against the limit: decoding alone and forward passes alone, one after the other, each by as many processes"
        " as there are cores, with nothing else to do. Few pictures make short passes, where those give the same bits"
        " as whole ones; that is tried once on a machine, in which first run the loop is faster.",
    ),
    Bench(
        "Extraction, ViT-B/32 with random weights",
        "extraction.py speed --model ViT-B-32 --batch 24 --counts 1,10,96 --seconds 150",
        "The same with a tower in which the forward pass is nearly all: a picture alone is the loop's own work. The"
        " limit's processes have weights each, which together no cache holds; threads share them.",
    ),
    Bench(
        "Extraction in eight bits",
        "extraction.py speed --runtime int8 --counts 2500 --seconds 100",
        "`backbone.runtime: int8` against the same loop in torch.",
        "openvino",
    ),
    Bench(
        "AP in eight bits",
        "int8.py",
        "A linear probe of features in eight bits, against one of torch's, each on the lab's test generators.",
        "openvino",
    ),
    Bench("One generator of forty", "extraction.py added", "What is new is encoded, what is there is kept."),
    Bench(
        "dvc repro with nothing to do",
        "repro.py",
        "Every dependency is compared with dvc.lock; `catalog` always looks.",
    ),
    Bench(
        "Spectrum of a million captions", "gram.py", "The Gram matrix, batch by batch, against an SVD of all at once."
    ),
    Bench("Ingest", "scan.py --files 5000", "Small files to tables, against reading and hashing them alone."),
    Bench("Query", "queries.py", "Views over five million predictions, against metrics made of the predictions."),
    Bench("Bootstrap", "evaluation.py", "Intervals of an evaluation, against a loop of scikit-learn."),
)


def run(bench: Bench) -> str:
    """What a bench printed; how it ended if it failed."""
    if bench.needs and importlib.util.find_spec(bench.needs) is None:
        return f"not run: needs the package {bench.needs}"
    print(f"== {bench.name}: python bench/{bench.command}", flush=True)
    words = [sys.executable, "-W", "ignore", *f"{HERE}/{bench.command}".split()]
    started = time.perf_counter()
    finished = subprocess.run(words, capture_output=True, text=True)
    output = finished.stdout.rstrip()
    if finished.returncode:
        output += f"\nended with {finished.returncode}: {(finished.stderr.splitlines() or ['nothing said'])[-1]}"
    print(f"{output}\n   {time.perf_counter() - started:.0f} s", flush=True)
    return output


def machine() -> str:
    """Cores, memory, instructions and versions that figures depend on."""
    memory = psutil.virtual_memory().total / 2**30
    kind = torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine()
    instructions = torch.backends.cpu.get_cpu_capability()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES if importlib.util.find_spec(_module(name)))
    return (
        f"{os.cpu_count()} cores ({kind}, {instructions}), {memory:.0f} GiB, {platform.system()}; Python"
        f" {platform.python_version()}, {packages}."
    )


def _module(package: str) -> str:
    return {"open_clip_torch": "open_clip", "pillow": "PIL", "scikit-learn": "sklearn"}.get(package, package)


def page(outputs: list[tuple[Bench, str]], load: float, seconds: float) -> str:
    """The page: targets first, then what each bench printed."""
    targets: list[Target] = [target for _, output in outputs for target in told(output)]
    lines = [
        "# Speed",
        "",
        f"`make bench` wrote this page in {seconds / 60:.0f} minutes, on {machine()} Load before it: {load:.1f}. Ratios"
        " of one run count; seconds are this machine's, and no test depends on any of it.",
        "",
        "| figure | asked | measured | |",
        "| --- | --- | ---: | --- |",
        *(f"| {target.name} | {target.bound} | {target.value} | {target.met} |" for target in targets),
    ]
    for bench, output in outputs:
        shown = [line for line in output.splitlines() if not told(line)]
        printed = ["```text", f"$ python bench/{bench.command}", *shown, "```"]
        lines += ["", f"## {bench.name}", "", bench.shows, "", *printed]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="those whose name has this in it")
    only = parser.parse_args().only
    chosen = [bench for bench in BENCHES if not only or only.lower() in bench.name.lower()]
    if not chosen:
        parser.error(f"--only {only}: expected a part of one of {', '.join(bench.name for bench in BENCHES)}")
    load, started = os.getloadavg()[0], time.perf_counter()
    outputs = [(bench, run(bench)) for bench in chosen]
    seconds = time.perf_counter() - started
    missed = [target.name for _, output in outputs for target in told(output) if target.met == "MISSED"]
    print(f"{len(outputs)} benches in {seconds / 60:.1f} minutes; missed: {', '.join(missed) or 'none'}")
    if only is None:
        with atomic_path(PAGE) as temporary:
            temporary.write_text(page(outputs, load, seconds))
        print(f"wrote {PAGE}" + (f"; {seconds:.0f} s are more than {LIMIT}" if seconds > LIMIT else ""))


if __name__ == "__main__":
    main()
