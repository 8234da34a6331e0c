"""Scores of runs on pictures: each is computed once and kept beside the run.

Runs that look at the same inputs are scored together, so that inputs are read once. A
group's scores are kept as soon as it is done: a killed evaluation goes on from there.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from nsnet.core.contracts import make
from nsnet.core.device import best_device
from nsnet.core.files import atomic_path
from nsnet.core.provenance import code_checksum, digest
from nsnet.detectors.files import load_detector
from nsnet.detectors.protocol import Needs, Scores
from nsnet.detectors.registry import detector_class, settings_class
from nsnet.evaluation.contracts import Predictions
from nsnet.evaluation.exams import Exams
from nsnet.evaluation.sources import ScoringSource
from nsnet.training.trainings import kind_code

# What scores, beside the code of a detector's kind.
CODE = ("evaluation/scores.py", "evaluation/sources.py")


@dataclass(frozen=True)
class Task:
    """One run to be scored on one split under one condition.

    Attributes:
        run: its row of the table runs.
        split, condition: which pictures, and what is done to them first.
        pictures: image_ids, in order.
        images: their hash.
    """

    run: dict[str, Any]
    split: str
    condition: str
    pictures: tuple[str, ...] = field(repr=False)
    images: str

    def file(self, store: Path, condition_id: str, code: str) -> Path:
        """Where its scores are kept.

        Args:
            store: the run store.
            condition_id: under which the pictures are shown.
            code: checksum of the code that scores.

        Returns:
            The file, named by what determines the scores.
        """
        key = digest([self.images, self.run["backbone_id"], code])
        return store / self.run["run_id"] / "scores" / f"{condition_id}-{key}.parquet"


def score_tasks(runs: pl.DataFrame, exams: Exams, conditions: list[str]) -> list[Task]:
    """Every run on the test pictures of its exams, and on its training set's validation split.

    Args:
        runs: the table runs.
        exams: of the corpus.
        conditions: under each of which test pictures are shown; validation pictures are, as in training.

    Returns:
        By run.
    """
    hashes: dict[tuple[str, ...], str] = {}
    tasks = []
    for run in runs.sort("run_id").to_dicts():
        shown = [("validation", run["train_condition"], exams.trained(run).validation)]
        shown += [("test", condition, tuple(exams.tested(run))) for condition in conditions]
        for split, condition, pictures in shown:
            if pictures:
                name = hashes.setdefault(pictures, hashlib.sha256("\n".join(pictures).encode()).hexdigest())
                tasks.append(Task(run, split, condition, pictures, name))
    return tasks


def score_runs(
    tasks: list[Task],
    source: ScoringSource,
    detectors: Path,
    store: Path,
    advance: Callable[[int], None] = lambda count: None,
) -> pl.DataFrame:
    """The table predictions.

    Args:
        tasks: of `score_tasks`.
        source: where pictures' inputs come from.
        detectors: folder of RUN_ID.safetensors.
        store: folder of RUN_ID/scores/.
        advance: told how many sets of scores are done.

    Returns:
        The table predictions.

    Raises:
        ValueError: a detector's file is damaged, or inputs are missing.
    """
    files = score_files(tasks, source, store)
    scored = {
        number: _kept(file, len(task.pictures)) for number, (task, file) in enumerate(zip(tasks, files, strict=True))
    }
    missing = [number for number, scores in scored.items() if scores is None]
    advance(len(tasks) - len(missing))

    def shares(number: int) -> tuple[str, str, bool, str, str, str]:
        task = tasks[number]
        needs = _needs(task.run)
        return needs.reads, needs.view, needs.tower, task.run["backbone_id"], task.condition, task.images

    groups = [list(members) for _, members in itertools.groupby(sorted(missing, key=shares), key=shares)]
    for group in itertools.chain.from_iterable(_loadable(group, tasks) for group in groups):
        alike = [tasks[number] for number in group]
        scores = _score_together(alike, list(alike[0].pictures), source, detectors)
        for number, values in zip(group, scores, strict=True):
            _keep(files[number], values)
            scored[number] = values
        advance(len(group))
    parts = [
        pl.DataFrame({"image_id": task.pictures, "score": scored[number]}).with_columns(
            pl.lit(task.run["run_id"]).alias("run_id"),
            pl.lit(task.condition).alias("condition"),
            pl.lit(task.split).alias("split"),
        )
        for number, task in enumerate(tasks)
    ]
    return pl.concat(part.select(make(Predictions, []).columns) for part in [make(Predictions, []), *parts])


def score_files(tasks: list[Task], source: ScoringSource, store: Path) -> list[Path]:
    """Where the scores of tasks are kept once they are computed.

    Args:
        tasks: of `score_tasks`.
        source: knows the conditions.
        store: folder of RUN_ID/scores/.

    Returns:
        A file for each, which need not exist.
    """
    own = code_checksum(*CODE)
    code = {kind: digest([own, kind_code(kind)]) for kind in sorted({task.run["kind"] for task in tasks})}
    return [task.file(store, source.condition_id(task.condition), code[task.run["kind"]]) for task in tasks]


def _loadable(group: list[int], tasks: list[Task]) -> Iterator[list[int]]:
    """Parts of a group that may be in memory together: a detector with a tower of its own is scored alone."""
    if _needs(tasks[group[0]].run).tower:
        yield from ([number] for number in group)
    else:
        yield group


def _needs(run: dict[str, Any]) -> Needs:
    settings = settings_class(run["kind"]).model_validate(json.loads(run["params"]))
    return detector_class(run["kind"]).needs(settings)


def _score_together(tasks: list[Task], image_ids: list[str], source: ScoringSource, folder: Path) -> list[Scores]:
    """Scores of several runs on the same inputs, which are read once."""
    device = torch.device(best_device())
    loaded = []
    for task in tasks:
        run = task.run
        file = folder / f"{run['run_id']}.safetensors"
        record = json.loads(run["backbone"])
        loaded.append(load_detector(file, run["detector_sha256"], record, partial(source.tower, record)))
        loaded[-1].module().to(device)
    parts: list[list[Scores]] = [[] for _ in tasks]
    run = tasks[0].run
    for batch in source.batches(_needs(run), json.loads(run["backbone"]), tasks[0].condition, image_ids, device):
        for detector, part in zip(loaded, parts, strict=True):
            part.append(detector.score([batch]))
    return [np.concatenate(part) for part in parts]


def _keep(file: Path, scores: Scores) -> None:
    with atomic_path(file) as temporary:
        pl.DataFrame({"score": scores}).write_parquet(temporary, metadata={"sha256": _sha256(scores)})


def _kept(file: Path, count: int) -> Scores | None:
    """Scores kept earlier; None if there are none, or if they are not what was written."""
    if not file.exists():
        return None
    try:
        scores = pl.read_parquet(file)["score"].to_numpy()
        if len(scores) == count and pl.read_parquet_metadata(file).get("sha256") == _sha256(scores):
            return scores
    except (pl.exceptions.PolarsError, OSError):
        pass
    print(f"{file} is damaged: these pictures are scored again", file=sys.stderr)
    return None


def _sha256(scores: Scores) -> str:
    return hashlib.sha256(np.ascontiguousarray(scores, np.float64).tobytes()).hexdigest()


def keep_evaluations(store: Path, tables: Iterable[tuple[str, pl.DataFrame]]) -> None:
    """Keep each run's rows of some tables beside it, so that the catalogue still has them when it is not current.

    Args:
        store: folder of RUN_ID/.
        tables: (name, rows with a column run_id) to be written to RUN_ID/NAME.parquet.
    """
    for name, frame in tables:
        for (run_id,), rows in frame.partition_by("run_id", as_dict=True, maintain_order=True).items():
            with atomic_path(store / str(run_id) / f"{name}.parquet") as temporary:
                rows.write_parquet(temporary, compression="zstd")
