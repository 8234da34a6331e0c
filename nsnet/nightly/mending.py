"""All that a kill, a full disk or a wrong bit leaves of DVC's own files, put right before DVC looks."""

from __future__ import annotations

from pathlib import Path

from nsnet.nightly.holders import mend_holders
from nsnet.nightly.listings import mend_listings
from nsnet.nightly.lock import mend_lock


def mend(root: Path) -> list[str]:
    """Mend unreadable dvc.lock and data.dvc, damaged listings, and holders that have ended.

    Args:
        root: the project.

    Returns:
        A sentence for each thing that was mended.

    Raises:
        OSError: a file cannot be read, moved or written.
    """
    return [*mend_lock(root), *mend_listings(root), *mend_holders(root)]
