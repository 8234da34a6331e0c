"""What extraction would encode, and how long that takes by what lies beside the parts of the store."""

from __future__ import annotations

from pathlib import Path

from nsnet.core.foresight import Work
from nsnet.features.extraction import make_plan
from nsnet.features.jobs import Request
from nsnet.features.prune import usage


def foresee_features(request: Request, store: Path, backbone_id: str, workers: int) -> Work:
    """What `nsnet.features.extraction.update_features` would encode; a damaged part is set aside, as it would be there.

    Args:
        request: what is wanted.
        store: the feature store.
        backbone_id: hash of the backbone record.
        workers: threads, which share the seconds.

    Returns:
        Pictures under a condition each; seconds of one are those of all parts of this backbone.

    Raises:
        FileNotFoundError: the tables images or samples have not been made.
    """
    with make_plan(request, store, backbone_id) as plan:
        plan.index()
        wanted, missing = plan.counts()
    kept = [one for one in usage(store) if one.backbone_id == backbone_id]
    pictures = sum(one.pictures for one in kept)
    each = sum(sum(one.seconds.values()) for one in kept) / pictures / workers if pictures else None
    return Work("pictures to encode, under a condition each", wanted, wanted - missing, each)
