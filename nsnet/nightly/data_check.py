"""The gate of every night, and the deep one of some: reading all pictures again takes hours for large corpora."""

from __future__ import annotations

import datetime
import json

from nsnet.core.files import atomic_path
from nsnet.core.paths import Paths
from nsnet.corpus.gate import refuse_drift
from nsnet.nightly.listings import mend_listings
from nsnet.nightly.lock import mend_lock
from nsnet.nightly.settings import Nightly


def check_data(paths: Paths, settings: Nightly, today: datetime.date) -> str:
    """Refuse data/ that is not what is committed; every `deep_days` days, read all of it again.

    DVC's own files are mended first: a damaged listing would have it take every picture for a changed one.

    Args:
        paths: the project.
        settings: section nightly.
        today: the day, UTC.

    Returns:
        What the gate said, after what was mended.

    Raises:
        FileNotFoundError, ValueError: as `refuse_drift`.
    """
    mended = [*mend_lock(paths.root), *mend_listings(paths.root)]
    deep = paths.data.exists() and _due(paths, settings, today)
    sentence = refuse_drift(paths.root, deep)
    if deep:
        with atomic_path(paths.deep_check) as temporary:
            temporary.write_text(json.dumps({"passed": today.isoformat()}) + "\n", encoding="utf-8")
    return "\n".join([*mended, sentence])


def _due(paths: Paths, settings: Nightly, today: datetime.date) -> bool:
    """Whether the last deep check is that long ago, was never, cannot be read, or lies in the future."""
    try:
        last = datetime.date.fromisoformat(json.loads(paths.deep_check.read_bytes())["passed"])
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return not 0 <= (today - last).days < settings.deep_days
