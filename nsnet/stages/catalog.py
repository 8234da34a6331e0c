"""Stage catalog: rebuild nsnet.duckdb, the database view of every table."""

from __future__ import annotations

from nsnet.catalog import VIEWS, build_catalog
from nsnet.paths import Paths


def main() -> None:
    paths = Paths()
    names = build_catalog(paths)
    print(f"catalog: {paths.database} has {len(names)} tables and the views {', '.join(VIEWS)}")
