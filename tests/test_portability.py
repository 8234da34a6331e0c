"""The lab's files have the same bytes whatever the machine's vector units, libraries and threads."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import platform
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nsnet.lab import portable
from tests.conftest import ROOT

REALS, PER_SIMULATOR = 16, 2
# Of the digests of these pictures: what one machine made, every other must make. It changes with the lab's code alone.
PINNED = "954640248beb1b1b"
numpy_core = importlib.import_module("numpy._core._multiarray_umath")
FOUND = numpy_core.__cpu_features__
DISPATCHED = [name for name in numpy_core.__cpu_dispatch__ if FOUND.get(name)]
if platform.machine() in ("x86_64", "AMD64"):
    CORES = ["Nehalem", "Haswell"] if FOUND.get("AVX2") else ["Nehalem", "Prescott"]
else:
    CORES = ["ARMV8", "NEOVERSEN1"]
# The baseline alone: NumPy's own vector code off, and the C library's too.
PLAIN = {"NPY_DISABLE_CPU_FEATURES": " ".join(DISPATCHED)}
PLAIN_LIBM = {**PLAIN, "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"}
needs_dispatch = pytest.mark.skipif(not DISPATCHED, reason="this machine has no vector units beyond NumPy's baseline")


def report(disturb: bool) -> None:
    """Print digests of pictures of each simulator and some reals, and what NumPy and BLAS run on."""
    if disturb:
        portable.settle = _disturbed(portable.settle)
    from nsnet.lab.corpus import Picture, make_picture
    from nsnet.lab.simulators import simulators

    pictures = [Picture("test", None, None, number, ()) for number in range(REALS)]
    pictures += [Picture("test", key, None, number, ()) for key in simulators() for number in range(PER_SIMULATOR)]
    digests = {}
    for picture in pictures:
        image, _, quality = make_picture(picture, 0)
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality)
        digests[picture.path] = hashlib.sha256(stream.getvalue()).hexdigest()
    import threadpoolctl  # type: ignore[import-untyped]

    blas = [library for library in threadpoolctl.threadpool_info() if library["internal_api"] == "openblas"]
    print(json.dumps({"digests": digests, "active": DISPATCHED, "blas": blas}))


def _disturbed(settle: Any) -> Any:
    """`settle` of values as another machine might have computed them: float64 off by some last bits."""
    rng = np.random.default_rng(5)

    def settle_other(values: npt.NDArray[np.floating]) -> portable.Image:
        if values.dtype == np.float64:
            # Four times the last bit of 1: the transforms' errors are about as large.
            values = values + 2.0**-50 * rng.uniform(-1, 1, values.shape) * np.maximum(np.abs(values), 1)
        return settle(values)

    return settle_other


def rendered(settings: dict[str, str], disturb: bool = False) -> dict[str, Any]:
    unset = ("NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "JSIMD_FORCENONE")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "-c", f"from tests.test_portability import report; report({disturb})"]
    done = subprocess.run(
        command, cwd=ROOT, env={**environment, **settings}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def usual() -> dict[str, str]:
    digests: dict[str, str] = rendered({})["digests"]
    assert len(digests) == REALS + 40 * PER_SIMULATOR
    return digests


def test_these_are_the_bytes_of_every_machine(usual: dict[str, str]) -> None:
    listing = "\n".join(f"{path} {digest}" for path, digest in sorted(usual.items()))
    assert hashlib.sha256(listing.encode()).hexdigest()[:16] == PINNED


def differing(usual: dict[str, str], other: dict[str, Any]) -> list[str]:
    return [path for path, digest in usual.items() if other["digests"][path] != digest]


@needs_dispatch
@pytest.mark.parametrize("settings", [PLAIN, PLAIN_LIBM], ids=["numpy", "numpy and libm"])
def test_vector_units_do_not_change_a_byte(usual: dict[str, str], settings: dict[str, str]) -> None:
    other = rendered(settings)
    assert other["active"] == []
    assert differing(usual, other) == []


@pytest.mark.parametrize("core", CORES)
def test_blas_kernels_do_not_change_a_byte(usual: dict[str, str], core: str) -> None:
    other = rendered({"OPENBLAS_CORETYPE": core})
    assert {library["architecture"].upper() for library in other["blas"]} <= {core.upper()}
    assert differing(usual, other) == []


@pytest.mark.parametrize("threads", ["1", "2"])
def test_blas_threads_do_not_change_a_byte(usual: dict[str, str], threads: str) -> None:
    assert differing(usual, rendered({"OPENBLAS_NUM_THREADS": threads})) == []


def test_jpeg_vector_code_does_not_change_a_byte(usual: dict[str, str]) -> None:
    assert differing(usual, rendered({"JSIMD_FORCENONE": "1"})) == []


def test_last_bits_of_float64_do_not_change_a_byte(usual: dict[str, str]) -> None:
    """As arm64 has them, where C code fuses a * b + c."""
    assert differing(usual, rendered({}, disturb=True)) == []


def test_settle_keeps_grid_values_and_common_fractions_of_a_step() -> None:
    steps = np.arange(-70000, 70000)
    assert (portable.settle(steps / portable.STEPS) == steps / portable.STEPS).all()
    # Sums of grid values over small denominators, with errors either way, fall on one side.
    for denominator in range(2, 101):
        values = (steps[::101] + np.arange(1, denominator)[:, None] / denominator) / portable.STEPS
        below, above = (portable.settle(values * (1 + sign * 2.0**-50)) for sign in (-1, 1))
        assert (below == above).all(), denominator


def test_cosine_and_sine() -> None:
    turns = np.linspace(-9, 9, 10001, dtype=np.float32)
    # The series' first term left out is (pi / 2)^11 / 11! = 3.6e-6; the rest is float32.
    for own, reference in ((portable.cosine, np.cos), (portable.sine, np.sin)):
        assert np.abs(own(turns) - reference(2 * np.pi * turns.astype(np.float64))).max() < 4.5e-6
