"""Imported scores: a file for each external detector and condition, which says whose scores it holds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nsnet.core.files import atomic_path, safe_path
from nsnet.core.names import unknown
from nsnet.evaluation.score_faults import Faults

RECORD, SUM = "nsnet", "sha256"


@dataclass(frozen=True)
class Record:
    """Whose scores a file holds, and where they came from.

    Attributes:
        detector, condition: its name, and what the pictures had been put through.
        version, sha256: of the detector, as the user says; empty where nothing was said.
        scale: the scores came on; kept are probabilities of fake.
        threshold: probability from which the user calls a picture fake; None: chosen on validation pictures, or 0.5.
        training_sets: of ours, that the user says it was trained on; empty: it stands beside all of them.
        source, source_sha256: name and checksum of the file that was imported.
    """

    detector: str
    condition: str
    version: str
    sha256: str
    scale: str
    threshold: float | None
    training_sets: tuple[str, ...]
    source: str
    source_sha256: str

    def conflict(self, other: Record) -> str | None:
        """How two records of one detector contradict each other; None if they do not."""
        for field in ("version", "sha256", "threshold", "training_sets"):
            mine, theirs = getattr(self, field), getattr(other, field)
            if mine != theirs:
                return f"{field} {_shown(mine)} under {self.condition}, {_shown(theirs)} under {other.condition}"
        return None


class ScoreStore:
    """Folder DETECTOR/CONDITION.parquet with image_id and score (float64, probability of fake)."""

    def __init__(self, folder: Path) -> None:
        """Keep scores in a folder, which need not exist yet."""
        self.folder = folder

    def records(self) -> list[Record]:
        """What is kept, by detector and condition.

        Raises:
            ValueError: a file is damaged, or no file of this store.
        """
        return sorted(
            (self._record(file) for file in self.folder.glob("*/*.parquet")),
            key=lambda record: (record.detector, record.condition),
        )

    def scores(self, record: Record) -> pl.DataFrame:
        """image_id and score of a record, sorted by image_id.

        Raises:
            ValueError: the file is damaged.
        """
        file = self._file(record)
        try:
            frame, metadata = pl.read_parquet(file), pl.read_parquet_metadata(file)
            if metadata.get(SUM) == _sum(frame):
                return frame
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ValueError(f"{file} is damaged ({error}): {_again(record.detector)}") from error
        raise ValueError(f"{file} is damaged: {_again(record.detector)}")

    def keep(self, found: Mapping[Record, pl.DataFrame]) -> list[Record]:
        """Keep scores, all or none.

        Args:
            found: image_id and score by record.

        Returns:
            The records that were not there before.

        Raises:
            ValueError: a detector is there with other scores or another version.
            OSError: a file cannot be written.
        """
        ordered = {record: frame.select("image_id", "score").sort("image_id") for record, frame in found.items()}
        kept, faults = self.records(), Faults()
        for record, frame in ordered.items():
            same = [other for other in kept if other.detector == record.detector]
            conflicts = [words for other in same if (words := record.conflict(other))]
            faults.add(
                "detectors in several versions",
                (
                    f"{record.detector}: {words}; one table holds one version of a detector: {_again(record.detector)},"
                    " or give this one a name of its own with --detector"
                    for words in conflicts[:1]
                ),
            )
            changed = [other for other in same if other.condition == record.condition]
            faults.add(
                "detectors that are here with other scores",
                (
                    f"{record.detector} under {record.condition}, imported from {other.source}: "
                    f"{_again(record.detector)}"
                    for other in changed
                    if not conflicts and _sum(self.scores(other)) != _sum(frame)
                ),
            )
        faults.refuse(str(self.folder))
        new = [record for record in ordered if not self._file(record).exists()]
        for record in new:
            facts = {RECORD: json.dumps(dataclasses.asdict(record), sort_keys=True), SUM: _sum(ordered[record])}
            with atomic_path(self._file(record)) as temporary:
                ordered[record].write_parquet(temporary, compression="zstd", metadata=facts)
        return new

    def remove(self, detectors: Iterable[str]) -> list[Record]:
        """Delete the scores of detectors.

        Args:
            detectors: their names.

        Returns:
            What was deleted.

        Raises:
            ValueError: there is no such detector, with the nearest names.
        """
        kept, wanted = self.records(), list(detectors)
        for name in wanted:
            if name not in {record.detector for record in kept}:
                raise unknown("external detector", name, {record.detector for record in kept})
        gone = [record for record in kept if record.detector in wanted]
        for name in wanted:
            shutil.rmtree(safe_path(self.folder, name))
        return gone

    def _file(self, record: Record) -> Path:
        return safe_path(self.folder, record.detector, record.condition, suffix=".parquet")

    def _record(self, file: Path) -> Record:
        try:
            facts = json.loads(pl.read_parquet_metadata(file)[RECORD])
            return Record(**{**facts, "training_sets": tuple(facts["training_sets"])})
        except (OSError, KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise ValueError(
                f"{file} is no file of `nsnet results import`, or is damaged: delete it and import again ({error})"
            ) from error


def _again(detector: str) -> str:
    return f"`nsnet results remove {detector}`, then import again"


def _shown(value: object) -> str:
    return repr(value) if value not in ("", None, ()) else "none"


def _sum(frame: pl.DataFrame) -> str:
    """sha256 of names and scores."""
    total = hashlib.sha256("\n".join(frame["image_id"]).encode())
    total.update(frame["score"].to_numpy().astype("<f8").tobytes())
    return total.hexdigest()
