"""What pictures of the largest size that params allow take, in memory: `python bench/large_picture.py`.

Two drawn pictures of corpus.max_pixels, a PNG and a JPEG, are ingested and scored with the
detectors that ship, each command in a process of its own, whose peak is printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from nsnet.params import load_params

BLOCK = 10


def main() -> None:
    side = int(load_params(Path("params.yaml")).corpus.max_pixels ** 0.5) // BLOCK * BLOCK
    coarse = np.random.default_rng(0).integers(0, 256, (side // BLOCK, side // BLOCK, 3), dtype=np.uint8)
    pixels = np.kron(coarse, np.ones((BLOCK, BLOCK, 1), np.uint8))
    with TemporaryDirectory() as temporary:
        folder, out = Path(temporary, "photos"), str(Path(temporary, "out"))
        for name, shown in (("real/0.png", pixels), ("fake/drawn/0.jpg", pixels[::-1])):
            (folder / name).parent.mkdir(parents=True)
            Image.fromarray(shown).save(folder / name)
        for command in ("ingest", "score"):
            words = [str(Path(sys.executable).parent / "nsnet"), command, str(folder), "--out", out]
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            print(f"{command:6}  2 pictures of {side} x {side}  peak {usage.ru_maxrss / 1024:,.0f} MB", flush=True)
            if process.returncode:
                sys.exit(f"nsnet {command} failed")


if __name__ == "__main__":
    main()
