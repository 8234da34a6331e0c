"""What readers open: nights/nsnet.duckdb, built anew of the accepted version and of all nights, and swapped in."""

from __future__ import annotations

from pathlib import Path

from nsnet.core.paths import Paths
from nsnet.core.settings import load_section
from nsnet.evaluation.settings import Evaluate
from nsnet.nightly.records import Accepted, accepted, decide
from nsnet.nightly.versions import faults_of, version_folder
from nsnet.reporting.catalogue import build_catalog
from nsnet.reporting.nights.contracts import Nights
from nsnet.reporting.nights.tables import read_nights


def publish(paths: Paths) -> Path | None:
    """Build the published catalogue again; readers of the old one keep it until they open the new.

    Args:
        paths: the project.

    Returns:
        The catalogue; None if no night was accepted yet, since then there is nothing to publish.

    Raises:
        ValueError: the accepted version or a night is damaged.
        OSError: the disk is full, or a reader locks the file for longer than the swap is tried.
    """
    last = accepted(paths.nights)
    if last is None:
        return None
    version = Paths(whole(paths, last))
    build_catalog(version, load_section(version.params, "evaluate", Evaluate), paths)
    return paths.published


def decide_for(paths: Paths, night: int, action: str, by: str, why: str) -> Accepted:
    """Publish another night: one that was refused, or an earlier one.

    Args:
        paths: the project.
        night: its number.
        action: accepted or rolled back.
        by, why: who decided, and the reason.

    Returns:
        What is published now.

    Raises:
        ValueError: there is no such night, it made no tables, it is the published one, or its version is damaged.
        OSError: as `publish`.
    """
    known = {row["night"]: row["version"] for row in read_nights(Nights, paths.nights).to_dicts()}
    if night not in known:
        raise ValueError(f"night {night}: there is none; `nsnet nights list` has {_numbers(known)}")
    if known[night] is None:
        raise ValueError(f"night {night} made no tables: there is nothing to publish; `nsnet nights show {night}`")
    chosen = Accepted(night, known[night])
    if accepted(paths.nights) == chosen:
        raise ValueError(f"night {night} is published already")
    whole(paths, chosen)
    decide(paths.nights, night, chosen.version, action, by, why)
    publish(paths)
    return chosen


def whole(paths: Paths, chosen: Accepted) -> Path:
    """The folder of a night's version.

    Args:
        paths: the project.
        chosen: the night.

    Raises:
        ValueError: files of it are not what was published: which, and what to do.
    """
    folder = version_folder(paths, chosen.version)
    if faults := faults_of(folder):
        raise ValueError(
            f"the version of night {chosen.night} is damaged:\n"
            + "\n".join(f"  {fault}" for fault in faults)
            + "\nBring it back from a copy, or publish another night: `nsnet nights rollback NIGHT`"
        )
    return folder


def _numbers(known: dict[int, str]) -> str:
    return ", ".join(map(str, sorted(known)[-8:])) or "no night yet"
