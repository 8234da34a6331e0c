"""Run a stage: `python -m nsnet.stages NAME`, from the project's root.

Worker processes import this module anew when they start, so it must stay light: the
stage's own imports (open_clip takes seconds) happen only in the process that runs it.
"""

import importlib
import sys

if __name__ == "__main__":
    importlib.import_module(f"nsnet.stages.{sys.argv[1]}").main()
