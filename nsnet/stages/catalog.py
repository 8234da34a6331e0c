"""Stage catalog: rebuild nsnet.duckdb, the database view of every table."""

from __future__ import annotations

from nsnet.core.paths import Paths
from nsnet.core.progress import cost
from nsnet.core.settings import load_section
from nsnet.evaluation.settings import Evaluate
from nsnet.reporting.catalogue import build_catalog
from nsnet.reporting.views import views


def main() -> None:
    paths = Paths()
    with cost(paths.cost("catalog")):
        names = build_catalog(paths, load_section(paths.params, "evaluate", Evaluate))
    print(f"catalog: {paths.database} has {len(names)} tables and the views {', '.join(sorted(views()))}")
