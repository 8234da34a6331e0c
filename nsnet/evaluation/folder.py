"""Detectors of a project on pictures of one's own: a folder that was ingested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from nsnet.core.device import best_device
from nsnet.core.foresight import Work
from nsnet.core.paths import Paths
from nsnet.core.progress import bar
from nsnet.corpus.audit import audit_corpus
from nsnet.corpus.contracts import Images, Samples
from nsnet.corpus.settings import Audit
from nsnet.evaluation.assessment import evaluate, foresee_scores
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.sources import ScoringSource
from nsnet.features.backbone import load_backbone
from nsnet.features.conditions import Condition, choose
from nsnet.features.contracts import Features, Patches
from nsnet.features.extraction import Counts, update_features
from nsnet.features.foresight import foresee_features
from nsnet.features.jobs import Request
from nsnet.features.requests import keys_of
from nsnet.features.settings import Backbone, Conditions
from nsnet.features.settings import Features as Extraction


def shown_of(settings: Evaluate, detectors: Iterable[str]) -> Evaluate:
    """Settings that show detectors that there are: other people's have other names.

    Args:
        settings: section evaluate.
        detectors: names of those that there are.

    Returns:
        The section, with names that there are.
    """
    known = sorted(set(detectors))
    shown = [name for name in settings.shown if name in known] or known[: len(settings.shown)]
    baseline = settings.baseline if settings.baseline in known else known[0]
    return settings.model_copy(update={"shown": shown, "baseline": baseline})


def score_folder(
    folder: Path,
    here: Paths,
    trained: Paths,
    audit: Audit,
    backbone: Backbone,
    conditions: Conditions,
    extraction: Extraction,
    settings: Evaluate,
) -> Counts:
    """Audit, encode, score and evaluate an ingested folder; its tables lie in `here`.

    Args:
        folder: with the pictures.
        here: where `nsnet ingest` wrote the tables of the folder.
        trained: project whose detectors are used.
        audit, backbone, conditions, extraction, settings: sections of its params.yaml.

    Returns:
        How many pictures were encoded, and how many were known.

    Raises:
        ValueError: nothing to test, changed pictures, or detectors of another backbone.
    """
    audit_corpus(here, audit)
    chosen = choose(settings.conditions, conditions)
    request = _request(folder, here, chosen, extraction)
    tower = load_backbone(backbone, best_device())
    with bar("features", None) as advance:
        counts = update_features(
            request,
            tower,
            here.feature_store,
            here.table(Features),
            here.table(Patches),
            batch=extraction.batch,
            workers=extraction.workers,
            advance=advance,
        )
    named = {condition.name: condition for condition in chosen}
    evaluate(here, trained, settings, ScoringSource(here, folder, named, lambda: tower))
    return counts


def foresee_folder(
    folder: Path,
    here: Paths,
    trained: Paths,
    backbone: Backbone,
    conditions: Conditions,
    extraction: Extraction,
    settings: Evaluate,
) -> list[Work]:
    """What `score_folder` would do.

    Args:
        folder, here, trained, backbone, conditions, extraction, settings: as there.

    Returns:
        Pictures to encode, as long as those of this backbone took so far, and scores to compute.

    Raises:
        FileNotFoundError, ValueError: the folder was not ingested, or there are no detectors.
    """
    chosen = choose(settings.conditions, conditions)
    tower = load_backbone(backbone, best_device())
    named = {condition.name: condition for condition in chosen}
    scores = foresee_scores(here, trained, settings, ScoringSource(here, folder, named, lambda: tower))
    request = _request(folder, here, chosen, extraction)
    return [foresee_features(request, here.feature_store, tower.id, extraction.workers), scores]


def _request(folder: Path, here: Paths, conditions: Sequence[Condition], extraction: Extraction) -> Request:
    return Request(
        images=here.table(Images),
        samples=here.table(Samples),
        root=folder,
        train=(),
        test=conditions,
        keys=keys_of(extraction),
        dtype=extraction.dtype,
        patches=False,
    )
