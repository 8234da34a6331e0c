"""Detectors that travel: exported with what is known of them, and with golden scores to check them by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from nsnet.core.files import atomic_path
from nsnet.core.paths import Paths
from nsnet.core.settings import read_json
from nsnet.prediction.cards import Facts, project_facts
from nsnet.prediction.folders import read_folder, write_folder
from nsnet.prediction.golden import deviation, golden_scores
from nsnet.prediction.loading import ORDER, Trained, load, trained_detectors
from nsnet.prediction.predictor import Predictor
from nsnet.training.exports import export_runs


def export_detectors(
    paths: Paths,
    out: Path,
    detectors: Iterable[str],
    training_sets: Iterable[str],
    seeds: Iterable[int],
    advance: Callable[[int], None] = lambda count: None,
) -> pl.DataFrame:
    """Export runs, and write RUN_ID.json beside each detector: training data, metrics and golden scores.

    Args:
        paths, out, detectors, training_sets, seeds: as `nsnet.training.exports.export_runs`.
        advance: told of each detector.

    Returns:
        The table runs of the folder.

    Raises:
        FileNotFoundError, ValueError: as there and as `nsnet.prediction.loading.load`.
    """
    runs = export_runs(paths, out, detectors, training_sets, seeds)
    for run in runs.to_dicts():
        predictor = _loaded(trained_detectors(detectors=out), run, paths.root)
        facts = project_facts(paths, run).model_copy(update={"golden": golden_scores(predictor)})
        with atomic_path(_file(Paths(out), run)) as temporary:
            temporary.write_text(facts.model_dump_json(indent=2) + "\n", encoding="utf-8")
        advance(1)
    return runs


def facts_of(trained: Trained, run: Mapping[str, Any]) -> Facts:
    """What is known of a detector: as it was exported, else as the project's tables say.

    Args:
        trained: the detectors that there are.
        run: row of their table runs.

    Returns:
        The facts.

    Raises:
        ValueError: the file with them is damaged.
    """
    if trained.alone:
        return read_folder(trained.alone)[1]
    file = _file(trained.paths, run)
    if not file.is_file():
        return project_facts(trained.paths, run)
    return read_json(file, Facts)


def save_detector_folder(trained: Trained, run: Mapping[str, Any], project: Path | None, out: Path) -> None:
    """Save one detector as a folder of its own, with golden scores (`nsnet.prediction.folders.write_folder`).

    Args:
        trained: the detectors that there are.
        run: row of their table runs.
        project: folder that relative names of weights are below; None is the one that this process works in.
        out: the folder.

    Raises:
        OSError, ValueError: as `nsnet.prediction.loading.load` and `facts_of`.
    """
    facts = facts_of(trained, run)
    if facts.golden is None:
        facts = facts.model_copy(update={"golden": golden_scores(_loaded(trained, run, project))})
    write_folder(trained.file(run["run_id"]), run, facts, out)


def deviations(trained: Trained, project: Path | None) -> Iterator[tuple[dict[str, Any], float]]:
    """How far the scores of the golden pictures are here from what was pinned.

    Args:
        trained, project: as `save_detector_folder`.

    Yields:
        Row of the table runs and largest difference in logits, of each detector with pinned scores.

    Raises:
        OSError, ValueError: as `save_detector_folder`.
    """
    for run in trained.runs.to_dicts():
        pinned = facts_of(trained, run).golden
        if pinned is not None:
            yield run, deviation(golden_scores(_loaded(trained, run, project)), pinned)


def _loaded(trained: Trained, run: Mapping[str, Any], project: Path | None) -> Predictor:
    names = {name: run[name] for name in ORDER}
    return load(**names, project=project, detectors=trained.alone or trained.paths.root)


def _file(paths: Paths, run: Mapping[str, Any]) -> Path:
    return paths.detectors / f"{run['run_id']}.json"
