"""Run a stage: `python -m nsnet.stages NAME`, from the project's root.

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


def main(words: list[str]) -> None:
    """Run the stage that is named; a fault that a user can mend ends in one clear message."""
    from nsnet.core.paths import Paths
    from nsnet.params import load_params

    known = [module.name for module in pkgutil.iter_modules(stages.__path__) if module.name != "__main__"]
    asked = " ".join(words)
    if asked not in known:
        sys.exit(f"error: {unknown('stage', asked, known)}")
    end_with_command("DVC_ROOT")
    try:
        load_params(Paths().params)
        importlib.import_module(f"nsnet.stages.{asked}").main()
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: stage {asked}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
