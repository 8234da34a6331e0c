"""Write the tables of README.md and of the pages in docs/ anew, from the printed tables and the catalogue.

    python docs/refresh.py            # after `make repro`: tables and the output of queries
    python docs/refresh.py --studies  # and of studies, which take half an hour
    python docs/refresh.py --check    # do the pages say what the committed tables say?

A line `<!-- table: docs/tables/NAME.sql -->` stands before each table that a query over CSV files makes. Tables below
`$ nsnet query ...`, `$ nsnet lab ...` or `<!-- output: nsnet ... -->` are what that command prints, and below
`<!-- study: nsnet lab ... -->` what it printed when it was last asked for. What needs no run is `docs/generated.py`'s.
"""

from __future__ import annotations

import argparse
import difflib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import duckdb

from nsnet.core.files import atomic_path
from nsnet.core.printing import markdown_table

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r"(<!-- table: (\S+) -->\n)((?:\|.*\n)*)")
OUTPUT = re.compile(r"((?:\$ |<!-- (?:output|study): )(nsnet (?:query|lab) .*?)(?: -->)?\n)((?:\|.*\n|\n(?=\|))+)")
STUDY = "<!-- study: "
FILE = re.compile(r"'([\w/]+\.csv)'")
MACROS = """
    CREATE MACRO number(value) AS printf('%.3f', value);
    CREATE MACRO ends(low, high) AS printf('%.3f..%.3f', low, high);
    CREATE MACRO within(value, low, high) AS number(value) || ' (' || ends(low, high) || ')';
"""


def pages() -> list[Path]:
    """Every page that has something to be written."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [file for file in files if TABLE.search(text := file.read_text("utf-8")) or OUTPUT.search(text)]


def with_tables(text: str, tables: Path) -> str:
    """A page with its tables made of the CSV files below a folder.

    Args:
        text: of the page.
        tables: folder that the queries' names of files are below.

    Returns:
        The page; the same where nothing has changed.
    """

    def made(found: re.Match[str]) -> str:
        with duckdb.connect() as connection:
            connection.execute(MACROS)
            connection.execute("SET threads = 1")  # sums in one order round one way
            # In full: a relative name would be looked up in the folder at hand first, with this machine's tables in it.
            query = FILE.sub(lambda name: f"'{tables.resolve() / name[1]}'", (ROOT / found[2]).read_text("utf-8"))
            rows = connection.sql(query).pl()
        return found[1] + markdown_table(rows)

    return TABLE.sub(made, text)


def with_output(text: str, studies: bool) -> str:
    """A page with what its commands print now, in this checkout; of studies only if they are asked for."""

    def ran(found: re.Match[str]) -> str:
        if found[1].startswith(STUDY) and not studies:
            return found[0]
        done = subprocess.run(["bash", "-c", found[2]], cwd=ROOT, capture_output=True, text=True, check=True)
        lines = [line for line in done.stdout.splitlines() if line.startswith("|") or not line]
        return found[1] + "\n".join(lines).strip("\n") + "\n"

    return OUTPUT.sub(ran, text)


def check() -> str:
    """How the pages differ from what the last commit's tables say; tables of this machine's run do not count."""
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        differences: list[str] = []
        for page in pages():
            text = page.read_text("utf-8")
            lines = text.splitlines(), with_tables(text, Path(folder)).splitlines()
            differences += difflib.unified_diff(*lines, str(page.relative_to(ROOT)), "committed tables", lineterm="")
    return "\n".join(differences)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a table is not the committed one")
    parser.add_argument("--studies", action="store_true", help="run the studies too, half an hour")
    asked = parser.parse_args()
    if asked.check:
        if found := check():
            sys.exit(found)
        return
    subprocess.run([sys.executable, str(ROOT / "docs/generated.py")], cwd=ROOT, check=True)
    for page in pages():
        text = with_output(with_tables(page.read_text("utf-8"), ROOT), asked.studies)
        with atomic_path(page) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
