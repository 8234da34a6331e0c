"""Stage lab: render the simulated corpus (no download, no GPU)."""

from __future__ import annotations

from nsnet.config import load_params
from nsnet.lab.corpus import plan, render_corpus
from nsnet.paths import Paths
from nsnet.progress import bar, cost


def main() -> None:
    paths = Paths()
    settings = load_params(paths.params).lab
    with cost(paths.cost("lab")), bar("lab", len(plan(settings))) as advance:
        count = render_corpus(settings, paths.lab, advance)
    print(f"lab: {count} pictures in {paths.lab}/")
