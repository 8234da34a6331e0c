"""Stage lab: render the simulated corpus (no download, no GPU), if data.dvc imports it."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from nsnet.core.files import atomic_path
from nsnet.core.foresight import Work, seconds_each
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.core.settings import load_section, read_values
from nsnet.lab.corpus import plan, render_corpus
from nsnet.lab.settings import Lab

# DVC lets no stage depend on data.dvc, so it does not see that the answer has changed: hence the --force.
NOTE = """Empty on purpose: data.dvc imports other pictures than the simulated ones of this stage.
To render them, let deps.path in data.dvc say lab, then `dvc repro --force lab` and `dvc repro`.
"""


def imports_lab(pointer: Path) -> bool:
    """Does a project's data.dvc import this stage's output?

    Raises:
        FileNotFoundError, ValueError: there is no such file, or it is no YAML.
    """
    sources = [PurePosixPath(source.get("path", "")) for source in read_values(pointer).get("deps", [])]
    return PurePosixPath("lab") in sources


def foresee(paths: Paths) -> list[Work]:
    """What the stage would do: it renders all pictures anew."""
    if not imports_lab(paths.root / "data.dvc"):
        return [Work("pictures to render, since data.dvc imports others", 0)]
    pictures = len(plan(load_section(paths.params, "lab", Lab)))
    return [Work("pictures to render", pictures, each=seconds_each(paths.cost("lab")))]


def main() -> None:
    paths = Paths()
    settings = load_section(paths.params, "lab", Lab)
    if not imports_lab(paths.root / "data.dvc"):
        shutil.rmtree(paths.lab, ignore_errors=True)
        with atomic_path(paths.lab / "README.txt") as temporary:
            temporary.write_text(NOTE)
        print(f"lab: nothing rendered, since data.dvc imports other pictures than {paths.lab}/")
        return
    with cost(paths.cost("lab")) as figures, bar("lab", len(plan(settings))) as advance:
        count = figures["items"] = render_corpus(settings, paths.lab, advance)
    print(f"lab: {count} pictures in {paths.lab}/")
