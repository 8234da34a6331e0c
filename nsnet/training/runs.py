"""Every training so far, by what determines it: detector, validation scores and facts, verified whenever read."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from nsnet.core.files import atomic_path
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import file_sha256
from nsnet.core.seals import broken, sealed_path
from nsnet.training.contracts import Runs

DETECTOR, VALIDATION, FACTS, CHECKPOINTS = "detector.safetensors", "validation.parquet", "run.json", "checkpoints"
# Files of a run, and where run.json has their sha256.
SUMS = {DETECTOR: "detector_sha256", VALIDATION: "validation_sha256"}
# Before the name of a run that was found damaged.
DAMAGED = ".damaged-"


class RunStore:
    """Folders <run_id>/ with detector.safetensors, validation.parquet and, written last, run.json: it makes it whole.

    run.json has the checksums of both, and is sealed itself (nsnet.core.seals).

    The scores of test pictures lie beside them (nsnet.evaluation.scores).
    """

    def __init__(self, folder: Path) -> None:
        """Keep runs in a folder, which need not exist yet."""
        self.folder = folder

    def detector(self, run_id: str) -> Path:
        """File of a run's detector."""
        return self.folder / run_id / DETECTOR

    def checkpoints(self, run_id: str) -> Path:
        """Folder of what a training leaves behind while it goes on."""
        return self.folder / run_id / CHECKPOINTS

    def ids(self) -> list[str]:
        """The whole runs, sorted."""
        return sorted(
            file.parent.name for file in self.folder.glob(f"*/{FACTS}") if not file.parent.name.startswith(DAMAGED)
        )

    def find(self, run_id: str) -> dict[str, Any] | None:
        """Facts of a run: its row of the table runs, `seconds` and more; None if it has not been trained.

        A damaged run is named on stderr, set aside and counts as not trained.
        """
        if not (self.folder / run_id / FACTS).exists():
            return None
        try:
            return self.read(run_id)
        except (ValueError, OSError) as error:
            aside = self.folder / f"{DAMAGED}{run_id}"
            shutil.rmtree(aside, ignore_errors=True)
            (self.folder / run_id).rename(aside)
            print(f"run {run_id} is trained again: {error}; the old one is set aside as {aside}", file=sys.stderr)
            return None

    def read(self, run_id: str) -> dict[str, Any]:
        """Facts of a run, once its files are what was kept.

        Raises:
            ValueError: run.json, the detector or the scores are damaged.
            FileNotFoundError: there is no such run.
        """
        facts = self.facts(run_id)
        for name in SUMS:
            self._verify(run_id, facts, name)
        return facts

    def _verify(self, run_id: str, facts: Mapping[str, Any], name: str) -> None:
        file, expected = self.folder / run_id / name, facts[SUMS[name]]
        checksum = file_sha256(file)
        if checksum != expected:
            raise ValueError(f"{file} has sha256 {checksum[:12]}, expected {expected[:12]}")

    def facts(self, run_id: str) -> dict[str, Any]:
        """Facts of a run; its files are not looked at.

        Raises:
            ValueError: run.json is damaged.
            FileNotFoundError: there is no such run.
        """
        file = self.folder / run_id / FACTS
        if broken(file):
            raise ValueError(f"{file} is not what was written")
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file} is no JSON ({error})") from error
        lacking = [name for name in SUMS.values() if not isinstance(facts, dict) or name not in facts]
        if lacking:
            raise ValueError(f"{file} lacks {', '.join(lacking)}")
        return facts

    def keep(
        self, run_id: str, facts: Mapping[str, Any], save: Callable[[Path], str], validation: pl.DataFrame
    ) -> dict[str, Any]:
        """Keep a run, and drop its checkpoints.

        Args:
            run_id: its name.
            facts: JSON-able, what run.json shall hold.
            save: writes the detector to a file and returns its sha256, which joins the facts.
            validation: image_id and score of the validation pictures.

        Returns:
            The facts as kept.
        """
        with atomic_path(self.folder / run_id / VALIDATION) as temporary:
            validation.write_parquet(temporary, compression="zstd")
        sums = {"detector_sha256": save(self.detector(run_id))}
        sums["validation_sha256"] = file_sha256(self.folder / run_id / VALIDATION)
        whole = {**facts, **sums}
        with sealed_path(self.folder / run_id / FACTS) as temporary:
            temporary.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        shutil.rmtree(self.checkpoints(run_id), ignore_errors=True)
        return whole

    def validation(self, run_id: str) -> pl.DataFrame:
        """Scores of the validation pictures, on which threshold and settings were chosen: image_id and score.

        Raises:
            ValueError: run.json or the scores are damaged.
            FileNotFoundError: there is no such run.
        """
        self._verify(run_id, self.facts(run_id), VALIDATION)
        return pl.read_parquet(self.folder / run_id / VALIDATION)

    def prune(self, wanted: Iterable[str], dry_run: bool = False) -> list[str]:
        """Delete every run but the wanted ones, and whatever was left unfinished or set aside.

        Args:
            wanted: run_ids to keep.
            dry_run: delete nothing.

        Returns:
            Names of the folders that are, or would be, deleted.
        """
        kept = set(wanted)
        folders = sorted(path for path in self.folder.glob("*") if path.is_dir() and path.name not in kept)
        for path in folders if not dry_run else []:
            shutil.rmtree(path)
        return [path.name for path in folders]


def asked_runs(paths: Paths) -> set[str]:
    """The run_ids of a project's table runs.

    Raises:
        FileNotFoundError, ValueError: as `read_table`.
    """
    return set(read_table(Runs, paths.table(Runs))["run_id"])
