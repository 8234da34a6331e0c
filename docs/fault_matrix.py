"""Write docs/fault_matrix.md of what `pytest -m faults` found: `python docs/fault_matrix.py JUNIT.xml ...`."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

import yaml

from nsnet.core.files import atomic_path

DOCS = Path(__file__).parent
PAGE = DOCS / "fault_matrix.md"
# Of tests and their variants, in the order of the page.
FAULTS = {
    "kill-stage": "SIGKILL of the stage",
    "kill-dvc": "SIGKILL of `dvc repro`",
    "kill-night": "SIGKILL of the night",
    "outputs_gone": "outputs deleted",
    "outputs_damaged": "outputs: finite garbage",
    "cache_damaged": "DVC's copies: finite garbage",
    "store_damaged": "what is kept in `store/`: finite garbage",
    "disk_full": "disk full from its midst on",
}
OTHER = {
    "lose_data": "`data/` deleted",
    "lose_pictures_and_cache": "`data/`, `lab/` and DVC's cache deleted",
    "damage_published": "`nights/nsnet.duckdb`: finite garbage",
    "damage_version": "tables and Parquet of the published version: finite garbage",
    "nights/nights/.*": "SIGKILL of a night that appends itself",
    "nights/.nsnet*": "SIGKILL of a night that builds what readers open",
    "a_worker_killed_in_mid_run_leaves_no_process": "SIGKILL of Prefect's worker (that night is lost)",
    "a_server_killed_in_mid_run_costs_that_night_only": "SIGKILL of Prefect's server (that night is lost)",
}
HEAD = """\
# Fault by stage

`make faults` wrote this page: each cell is a test on a copy of a tiny project that has published a night. {held} held,
{failed} failed.

*Held* means: no process was left after ten seconds; the next night was accepted and made the same bytes as one that
nothing disturbed, in every table and in DVC's cache; and nothing published was lost or changed. *Finite garbage* are
files of the same form with other numbers, which read as well as the right ones.
"""
REST = """\
| fault at no stage | |
| --- | --- |"""
FOOT = """\
Prefect's server and worker are real ones; those two tests look at the tables and dvc.lock of the next night.

[What is checked, and what a fault costs](faults.md) has the other faults: two nights at once, the clock, pictures,
settings, names.
"""
NAME = re.compile(r"test_(?P<test>\w+)(?:\[(?P<variant>[^\]]+)\])?")


def outcomes(junit: Path) -> dict[tuple[str, str], str]:
    """What came of each fault, by fault and stage; of those that are at no stage, by fault and an empty text."""
    stages = set(yaml.safe_load((DOCS.parent / "dvc.yaml").read_text())["stages"])
    found: dict[tuple[str, str], str] = {}
    for case in ET.parse(junit).iter("testcase"):
        match = NAME.fullmatch(case.get("name", ""))
        if match is None:
            raise SystemExit(f"{junit}: {case.get('name')} is no test of a fault")
        words = (match["variant"] or match["test"]).split("-")
        stage = next((word for word in words if word in stages), "")
        variant = "-".join(word for word in words if word != stage)
        fault = variant if not stage else "-".join(filter(None, (match["test"], variant)))
        found[fault, stage] = _outcome(case)
    return found


def _outcome(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "**FAILED**"
    skipped = case.find("skipped")
    return "held" if skipped is None else (skipped.get("message") or "skipped").removeprefix("Skipped: ")


def page(found: dict[tuple[str, str], str]) -> str:
    """The page; cells that nothing was tried in have a dash and their reason below."""
    stages = list(yaml.safe_load((DOCS.parent / "dvc.yaml").read_text())["stages"])
    unknown = {fault for fault, _ in found} - set(FAULTS) - set(OTHER)
    if unknown:
        raise SystemExit(f"faults without words for the page: {', '.join(sorted(unknown))}; name them in {__file__}")
    reasons: dict[str, list[str]] = defaultdict(list)
    rows = []
    for fault, words in FAULTS.items():
        cells = []
        for stage in stages:
            outcome = found.get((fault, stage), "not run")
            whole = outcome in ("held", "**FAILED**")
            if not whole:
                reasons[f"{words}: {outcome}"].append(stage)
            cells.append(outcome if whole else "-")
        rows.append(f"| {words} | {' | '.join(cells)} |")
    others = [f"| {words} | {found.get((fault, ''), 'not run')} |" for fault, words in OTHER.items()]
    held = sum(outcome == "held" for outcome in found.values())
    failed = sum(outcome == "**FAILED**" for outcome in found.values())
    notes = [f"- {reason} ({', '.join(names)})" for reason, names in reasons.items()]
    header = [f"| fault | {' | '.join(stages)} |", f"| --- | {' | '.join('---' for _ in stages)} |"]
    return "\n".join([HEAD.format(held=held, failed=failed), *header, *rows, "", *notes, "", REST, *others, "", FOOT])


if __name__ == "__main__":
    with atomic_path(PAGE) as temporary:
        temporary.write_text(page({key: what for file in sys.argv[1:] for key, what in outcomes(Path(file)).items()}))
    print(f"wrote {PAGE}")
