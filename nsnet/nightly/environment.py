"""What must hold before a night runs: room on the disk, and the packages that the numbers were made with."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import PackageNotFoundError, version

from nsnet.core.paths import Paths
from nsnet.nightly.findings import Finding
from nsnet.nightly.settings import Nightly

PINNED = re.compile(r"([A-Za-z0-9._-]+)==([^\s;#]+)")


def check_environment(paths: Paths, settings: Nightly) -> list[Finding]:
    """Compare what is installed with constraints.txt, and the free disk with what a night needs.

    Args:
        paths: the project.
        settings: section nightly.

    Returns:
        A finding for each package of another version, and one if the disk is too full to begin.
    """
    findings = []
    free = shutil.disk_usage(paths.root).free / 1e9
    if free < settings.free_gb:
        detail = f"{free:.2f} GB are free, nightly.free_gb asks for {settings.free_gb:g}"
        findings.append(Finding("disk-low", str(paths.root.resolve()), detail))
    constraints = paths.root / "constraints.txt"
    lines = constraints.read_text(encoding="utf-8").splitlines() if constraints.exists() else []
    for name, wanted in (match.groups() for match in map(PINNED.match, lines) if match):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue  # of an extra that is not installed
        # A build of a release, such as 2.13.0+cpu, is that release.
        if found.partition("+")[0] != wanted.partition("+")[0]:
            findings.append(Finding("environment", name, f"{found} is installed, constraints.txt says {wanted}"))
    return findings
