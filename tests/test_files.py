"""Files whose names people gave, and what killed writers leave behind."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from nsnet.core.files import atomic_path, safe_path
from nsnet.reporting.plots import audit_plot

HOSTILE = ("z/../../../x", "..", ".", "", "/etc/x", "a\x00b", "a\nb", "con/aux", "x" * 300, "é" * 200, ".hidden")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "tables"
    path = safe_path(folder, name, name, suffix=".svg")
    assert path.parent.parent == folder and path.name.isprintable()
    with atomic_path(path) as temporary:
        temporary.write_text("kept")
    assert [found.relative_to(folder) for found in tmp_path.rglob("*.svg")] == [path.relative_to(folder)]


def test_names_stay_apart_and_plain_ones_stay_themselves(tmp_path: Path) -> None:
    names = [*HOSTILE, "x" * 300 + "y", "a b", "%", "%2E", "a%2Fb", "a/b"]
    assert len({safe_path(tmp_path, name) for name in names}) == len(names)
    assert safe_path(tmp_path, "generators_lab_biased", suffix=".svg") == tmp_path / "generators_lab_biased.svg"
    assert safe_path(tmp_path, "SD v1.4", "adm~2") == tmp_path / "SD v1.4" / "adm~2"


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "own").symlink_to(tmp_path / "outside")
    with pytest.raises(ValueError, match="leads out of"):
        safe_path(tmp_path / "tables", "own", "x")


def test_the_next_writer_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    """And leaves the files of living writers, and of other machines, where they are."""
    program = (
        "import os, sys; from pathlib import Path; from nsnet.core.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); Path(f'{temporary}.wal').write_text('log'); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path / "first.duckdb")])
    assert killed.returncode == -9
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == 2 and left[1].endswith(".tmp.duckdb.wal")
    (tmp_path / left[0].replace("first", "plan").replace("duckdb", "d")).mkdir()  # a folder, as the features' plan has
    own = left[0].split(".")[2].partition("@")[2]
    living = [f".other.{os.getpid()}@{own}.tmp.csv", ".other.999999999@another-machine.tmp.csv", ".other.notes.tmp.csv"]
    for name in living:
        (tmp_path / name).write_text("kept")
    with atomic_path(tmp_path / "second.csv") as temporary:
        temporary.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*living, "second.csv"])
    assert own.lower() == "".join(sign if sign.isalnum() else "-" for sign in platform.node())[:40].lower()


def test_plots_of_hostile_names_are_well_formed(tmp_path: Path) -> None:
    names = ["a\x00b", "\x1b[31m", "<script>&", "$x$", "$\\frac{", "a\nb", "a--b"]
    bias = pl.DataFrame({"suite": "own", "generator": names, "flagged": False}).with_columns(
        auc=pl.lit(0.5), auc_low=pl.lit(0.4), auc_high=pl.lit(0.6), n_fake=pl.lit(4), n_real=pl.lit(16)
    )
    audit_plot(bias, 0.75, tmp_path / "audit.svg")
    text = (tmp_path / "audit.svg").read_text()
    ElementTree.fromstring(text)
    assert "a\\x00b" in text and "$x$" in text
