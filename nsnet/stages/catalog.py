"""Stage catalog: rebuild nsnet.duckdb, the database view of every table."""

from __future__ import annotations

from nsnet.core.paths import Paths
from nsnet.reporting.catalogue import VIEWS, build_catalog


def main() -> None:
    paths = Paths()
    names = build_catalog(paths)
    print(f"catalog: {paths.database} has {len(names)} tables and the views {', '.join(VIEWS)}")
