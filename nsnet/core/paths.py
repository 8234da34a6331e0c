"""Where everything lies: one place that derives every path from the project's root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nsnet.core.contracts import Table, table_name, table_stage


@dataclass(frozen=True)
class Paths:
    """Paths below a project root (the folder with dvc.yaml)."""

    root: Path = Path()

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def lab(self) -> Path:
        """Raw corpus rendered by the stage `lab`."""
        return self.root / "lab"

    @property
    def data(self) -> Path:
        """Raw corpora under version control (data.dvc)."""
        return self.root / "data"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    def table(self, kind: type[Table]) -> Path:
        """The Parquet file, or for features and patches the glob of shards, of a table."""
        name = table_name(kind)
        return self.artifacts / table_stage(kind) / (f"*/{name}-*.parquet" if name in SHARDED else f"{name}.parquet")

    @property
    def scan_index(self) -> Path:
        """What the last scan found, by path, size and time; saves time only, so no stage's output."""
        return self.artifacts / "scan" / "index.parquet"

    @property
    def features(self) -> Path:
        return self.artifacts / "features"

    @property
    def detectors(self) -> Path:
        return self.artifacts / "train" / "detectors"

    def cost(self, stage: str) -> Path:
        """Seconds and memory of a stage's last run; not reproducible, so no stage's output."""
        return self.artifacts / "costs" / f"{stage}.json"

    @property
    def metrics(self) -> Path:
        """Headline figures for `dvc metrics show`."""
        return self.artifacts / "evaluate" / "metrics.json"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def database(self) -> Path:
        return self.root / "nsnet.duckdb"


SHARDED = ("features", "patches")
