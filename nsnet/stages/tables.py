"""Stage tables: Markdown, CSV and plots that people read."""

from __future__ import annotations

from nsnet.core.paths import Paths
from nsnet.core.progress import cost
from nsnet.core.settings import load_section, load_value
from nsnet.evaluation.settings import Evaluate
from nsnet.reporting.writing import write_tables


def main() -> None:
    paths = Paths()
    settings = load_section(paths.params, "evaluate", Evaluate)
    flag_auc = load_value(paths.params, "audit.flag_auc", float)
    with cost(paths.cost("tables")):
        names = write_tables(paths, paths, settings, flag_auc)
    print(f"tables: {', '.join(names)} in {paths.tables}/")
