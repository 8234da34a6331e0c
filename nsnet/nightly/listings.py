"""DVC's listings of folders in its cache: DVC believes them as they lie, and a wrong bit ends every later run."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dvc.repo import Repo

from nsnet.nightly.lock import ASIDE


def mend_listings(root: Path) -> list[str]:
    """Set aside the listings that are not what they are named by; DVC then makes their folders again.

    Files in the cache need no such look: DVC compares them with their names when it takes them out.

    Args:
        root: the project.

    Returns:
        A sentence for each listing that was set aside.

    Raises:
        OSError: a listing cannot be read or moved.
    """
    with Repo(str(root)) as repo:
        cache = Path(repo.cache.local.path)
    sentences = []
    for listing in sorted(cache.glob("??/*.dir")):
        name = listing.parent.name + listing.stem
        if hashlib.md5(listing.read_bytes(), usedforsecurity=False).hexdigest() != name:
            aside = root / ASIDE / listing.name
            aside.parent.mkdir(parents=True, exist_ok=True)
            listing.replace(aside)
            sentences.append(f"listing {name[:12]} of DVC's cache is damaged: set aside as {ASIDE / listing.name}")
    return sentences
