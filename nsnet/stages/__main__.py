"""Run a stage: `python -m nsnet.stages NAME`, from the project's root; with --dry-run say what it would do.

All of params.yaml is checked before any stage does any work; a stage then reads its own
sections only. Worker processes import this module anew when they start, so it must stay
light: the stage's own imports (open_clip takes seconds) happen only in the process that runs it.

A stage that DVC runs ends with DVC: the next `dvc repro` would run another beside it.
"""

import importlib
import pkgutil
import sys

from nsnet import stages
from nsnet.core.names import unknown
from nsnet.core.workers import end_with_command

DRY_RUN = "--dry-run"
# DVC records what a stage wrote as all that its settings ask for.
NO_LIMIT = (
    "a stage takes no --limit: DVC would keep part of its outputs as the whole; ask for less in params.yaml"
    " (lab.test_fakes, train.detectors, evaluate.conditions), in a project of its own (`nsnet init`)"
)


def main(words: list[str]) -> None:
    """Run the stage that is named; a fault that a user can mend ends in one clear message."""
    from nsnet.core.foresight import foretell
    from nsnet.core.paths import Paths
    from nsnet.params import load_params

    known = [module.name for module in pkgutil.iter_modules(stages.__path__) if module.name != "__main__"]
    options = [word for word in words if word.startswith("-")]
    asked = " ".join(word for word in words if word not in options)
    if any(option.startswith("--limit") for option in options):
        sys.exit(f"error: {NO_LIMIT}")
    if strange := [option for option in options if option != DRY_RUN]:
        sys.exit(f"error: {unknown('option', strange[0], [DRY_RUN])}")
    if asked not in known:
        sys.exit(f"error: {unknown('stage', asked, known)}")
    end_with_command("DVC_ROOT")
    try:
        load_params(Paths().params)
        stage = importlib.import_module(f"nsnet.stages.{asked}")
        if not options:
            stage.main()
            return
        works = stage.foresee(Paths()) if hasattr(stage, "foresee") else []
        print("\n".join(foretell(asked, works, Paths().cost(asked))))
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: stage {asked}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
