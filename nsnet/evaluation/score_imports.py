"""Scores of external detectors come in: checked against a corpus and kept, or ranked by what their files say alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from nsnet.core.contracts import make
from nsnet.core.names import unknown
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import BiasAudit, Images, Samples
from nsnet.evaluation.assessment import evaluate
from nsnet.evaluation.contests import contests_of, pictures_of
from nsnet.evaluation.scales import probabilities, scale_of
from nsnet.evaluation.score_faults import Faults
from nsnet.evaluation.score_files import Claims, note_versions, read_scores
from nsnet.evaluation.score_pictures import SET, found_in_corpus, listed_samples
from nsnet.evaluation.score_store import Record, ScoreStore
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.sources import ScoringSource
from nsnet.evaluation.statistics import Evaluation
from nsnet.semantics.contracts import SemanticSpectrum
from nsnet.suites import suites
from nsnet.training.contracts import Runs


def import_scores(
    paths: Paths,
    file: Path,
    claims: Claims,
    conditions: Collection[str],
    threshold: float | None,
    training_sets: Sequence[str],
) -> tuple[list[Record], int]:
    """Keep the scores of a file, for the next evaluation of the corpus in `paths`.

    Args:
        paths: project, or folder of `nsnet ingest`, whose pictures were scored.
        file: csv, jsonl or parquet.
        claims: what the file does not say.
        conditions: names that params.yaml has.
        threshold: on the file's scale, from which a picture is called fake.
        training_sets: that the detectors were trained on; empty if on none that is known here.

    Returns:
        What was new, and how many rows are of copies that the corpus set aside.

    Raises:
        FileNotFoundError: the corpus has no tables yet.
        ValueError: all faults of the file at once.
    """
    images, samples = (read_table(kind, paths.table(kind)) for kind in (Images, Samples))
    ours = read_table(Runs, paths.table(Runs)) if paths.table(Runs).exists() else make(Runs, [])
    faults = Faults()
    rows = read_scores(file, claims, faults)
    note_versions(rows, faults)
    known = {
        *ours["training_set"],
        *samples["training_set"].drop_nulls(),
        *samples["in_domain_for"].explode().drop_nulls(),
    }
    known |= {name for suite in suites().values() for name in suite.training_sets}
    faults.add(
        "training sets", (str(unknown("training set", name, known)) for name in training_sets if name not in known)
    )
    strange = rows["condition"].unique().sort().to_list()
    faults.add(
        "conditions", (str(unknown("condition", name, conditions)) for name in strange if name not in conditions)
    )
    taken = sorted({*rows["detector"]} & {*ours["detector"]})
    faults.add(
        "names that detectors of ours have", (f"detector {name}: give another with --detector" for name in taken)
    )
    tested = pictures_of(contests_of(samples))
    rows, aside = found_in_corpus(rows, images, samples, tested, faults)
    faults.refuse(str(file))
    return ScoreStore(paths.scores).keep(_records(rows, claims, threshold, training_sets)), aside


def rank_scores(paths: Paths, files: Sequence[Path], claims: Claims, settings: Evaluate) -> Evaluation:
    """Evaluate scores by the labels and generators of their own files; no picture is read, nothing of ours takes part.

    Args:
        paths: folder that gets the tables of an evaluation.
        files: csv, jsonl or parquet; a detector that has no name is called as its file.
        claims: what they do not say.
        settings: section evaluate; conditions are the files' own.

    Returns:
        The evaluation.

    Raises:
        ValueError: all faults of the files at once; or `paths` holds pictures that were ingested.
    """
    if paths.table(Images).exists() and read_table(Images, paths.table(Images)).height:
        raise ValueError(
            f"{paths.root} has pictures that were ingested: import scores of them (`nsnet results import FILE --out"
            f" {paths.root}`), or name another folder"
        )
    faults = Faults()
    parts = [read_scores(file, claims, faults, unnamed=file.stem) for file in files]
    if len(files) > 1:
        parts = [part.with_columns(place=f"{file} " + pl.col("place")) for part, file in zip(parts, files, strict=True)]
    rows = pl.concat(parts, how="diagonal")
    note_versions(rows, faults)
    samples, rows = listed_samples(rows, faults)
    faults.refuse(", ".join(map(str, files)))
    store = ScoreStore(paths.scores)
    store.remove({record.detector for record in store.records()})
    store.keep(_records(rows, claims, None, ()))
    write_table(Samples, samples, paths.table(Samples))
    for kind in (Images, BiasAudit, SemanticSpectrum, Runs):
        write_table(kind, make(kind, []), paths.table(kind))
    conditions = rows["condition"].unique().sort().to_list()
    chosen = settings.model_copy(update={"conditions": conditions})
    return evaluate(paths, paths, chosen, ScoringSource(paths, paths.root, {}))


def _records(
    rows: pl.DataFrame, claims: Claims, threshold: float | None, training_sets: Iterable[str]
) -> dict[Record, pl.DataFrame]:
    """Scores by what is kept beside them."""
    limit, beside = _threshold(threshold, claims.scale), tuple(sorted(set(training_sets)))
    found = {}
    for (detector, condition), part in rows.partition_by(*SET, as_dict=True, maintain_order=True).items():
        version, sha256, source, source_sha256 = (
            ", ".join(part[name].unique(maintain_order=True))
            for name in ("version", "sha256", "source", "source_sha256")
        )
        record = Record(
            str(detector), str(condition), version, sha256, claims.scale, limit, beside, source, source_sha256
        )
        found[record] = part
    return found


def _threshold(threshold: float | None, scale: str) -> float | None:
    if threshold is None:
        return None
    known = scale_of(scale)
    if not (np.isfinite(threshold) and known.low <= threshold <= known.high):
        raise ValueError(f"threshold {threshold:g} is not on the scale {scale}: {known.low:g}..{known.high:g}")
    return float(probabilities(np.array([threshold], np.float64), scale)[0])
