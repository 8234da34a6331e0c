"""A night as flows/nightly_eval.py has it, without Prefect: `python -P night.py`, at the top of a project.

The last line says what came of it: the night's number, its findings, and the night that is published.
"""

from __future__ import annotations

import json

from nsnet.core.paths import Paths
from nsnet.core.settings import load_section
from nsnet.nightly.costs import costs_since, look
from nsnet.nightly.data_check import check_data
from nsnet.nightly.environment import check_environment
from nsnet.nightly.findings import Finding
from nsnet.nightly.night import Night, judge, record
from nsnet.nightly.pull import pull_data
from nsnet.nightly.records import utc_now
from nsnet.nightly.reproduction import reproduce
from nsnet.nightly.settings import Nightly


def drift(paths: Paths, settings: Nightly) -> list[Finding]:
    try:
        print(check_data(paths, settings, utc_now().date()))
    except ValueError as error:
        return [Finding("corpus-drift", "data", str(error))]
    return []


def main() -> None:
    paths = Paths()
    settings, night = load_section(paths.params, "nightly", Nightly), Night()
    night.findings += check_environment(paths, settings)
    print(pull_data(paths.root))
    night.findings += drift(paths, settings)
    if not night.refused:
        before = look(paths)
        try:
            reproduce(paths.root, print)
            night.reproduced = True
        except RuntimeError as error:
            night.findings.append(Finding("pipeline-failed", "dvc repro", str(error)))
        night.costs = costs_since(paths, before)
        night.findings += drift(paths, settings)
    judge(paths, night)
    recorded = record(paths, night)
    for finding in night.findings:
        print(finding.line)
    published = recorded.published.night if recorded.published else None
    blocking = [finding.finding for finding in night.findings if finding.blocks]
    print(json.dumps({"night": recorded.night, "blocking": blocking, "published": published}))


if __name__ == "__main__":
    main()
