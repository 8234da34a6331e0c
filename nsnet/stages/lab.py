"""Stage lab: render the simulated corpus (no download, no GPU)."""

from __future__ import annotations

from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.core.settings import load_section
from nsnet.lab.corpus import plan, render_corpus
from nsnet.lab.settings import Lab


def main() -> None:
    paths = Paths()
    settings = load_section(paths.params, "lab", Lab)
    with cost(paths.cost("lab")), bar("lab", len(plan(settings))) as advance:
        count = render_corpus(settings, paths.lab, advance)
    print(f"lab: {count} pictures in {paths.lab}/")
