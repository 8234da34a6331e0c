"""Run a stage: `python -m nsnet.stages NAME`, from the project's root.

Worker processes import this module anew when they start, so it must stay light: the
stage's own imports (open_clip takes seconds) happen only in the process that runs it.
"""

import importlib
import pkgutil
import sys

from nsnet import stages
from nsnet.core.names import unknown

if __name__ == "__main__":
    known = [module.name for module in pkgutil.iter_modules(stages.__path__) if module.name != "__main__"]
    asked = " ".join(sys.argv[1:])
    if asked not in known:
        sys.exit(f"error: {unknown('stage', asked, known)}")
    importlib.import_module(f"nsnet.stages.{asked}").main()
