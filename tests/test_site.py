"""The pages as a site: built strictly, asking no other host, its links within it, its formulas without a script."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from nsnet.detectors.registry import kinds
from nsnet.lab.simulators import simulators
from tests.conftest import ROOT, run

pytest.importorskip("material", reason="needs the extra nsnet[docs]")
# What a browser fetches by itself; a link is followed by its reader alone.
FETCHED = {"src", "srcset", "data", "poster", "action", "background"}


class Targets(HTMLParser):
    """What a page fetches, what it links to, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.linked: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in FETCHED or (tag == "link" and name == "href"):
                self.fetched.append(value or "")
            elif name == "href":
                self.linked.append(value or "")
            elif name in ("id", "name"):
                self.anchors.add(value or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    built = run(ROOT, "mkdocs", "build", "--strict", "--site-dir", str(folder), check=False)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, str]:
    return {file: file.read_text(encoding="utf-8") for file in site.rglob("*.html")}


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(ROOT / "docs")
    yield importlib.import_module("generated")


def parsed(text: str) -> Targets:
    targets = Targets()
    targets.feed(text)
    return targets


def test_every_page_is_there(site: Path, pages: dict[Path, str]) -> None:
    written = {file.relative_to(ROOT / "docs").with_suffix("") for file in (ROOT / "docs").rglob("*.md")}
    names = {Path(*each.parts[:-1], "index") if each.name == "README" else each for each in written}
    brought = {Path(name) for name in ("index", "history", "contributing", "404")}
    assert {file.relative_to(site).with_suffix("") for file in pages} == names | brought
    assert not list(site.rglob("*.py")) and not list(site.rglob("*.sql"))


def test_no_page_asks_another_host(site: Path, pages: dict[Path, str]) -> None:
    for file, text in pages.items():
        assert [each for each in parsed(text).fetched if "//" in each] == [], file
        assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*", text) == [], file
    for file in site.rglob("*.css"):
        asked = re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']*", file.read_text(encoding="utf-8"))
        assert asked == [], file


def test_links_stay_within_the_site(site: Path, pages: dict[Path, str]) -> None:
    targets = {file.resolve(): parsed(text) for file, text in pages.items()}
    for file, found in targets.items():
        for target in (*found.fetched, *found.linked):
            if re.match(r"https?://|mailto:|data:", target) or file.name == "404.html":
                continue
            path, _, anchor = target.partition("#")
            there = (file.parent / path.partition("?")[0]).resolve() if path else file
            there = there / "index.html" if there.is_dir() else there
            assert there.is_file(), (file.name, target)
            assert not anchor or there not in targets or anchor in targets[there].anchors, (file.name, target)


def test_formulas_need_no_script(site: Path) -> None:
    text = (site / "method.html").read_text(encoding="utf-8")
    assert text.count("<math") > 40 and text.count('display="block"') >= 8
    assert "arithmatex" not in text and "\\top" not in text


def test_markdown_is_read_as_a_git_host_reads_it(pages: dict[Path, str]) -> None:
    """Lists and tables want an empty line above them here, and none there."""
    for file, text in pages.items():
        for paragraph in re.findall(r"<p>(.*?)</p>", text, flags=re.DOTALL):
            assert not re.search(r"^(?:- |\d+\. |\|)", paragraph, flags=re.MULTILINE), (file.name, paragraph[:200])


def test_folders_of_a_suite_keep_their_brackets(site: Path) -> None:
    assert "&lt;generator&gt;/&lt;inner folder&gt;/{train,val}" in (site / "suites/genimage.html").read_text()


def test_generated_pages_are_what_code_says(generated: ModuleType) -> None:
    assert generated.DICTIONARY.read_text(encoding="utf-8") == generated.dictionary(), "run python docs/generated.py"
    for file in generated.PARTIAL:
        text = file.read_text(encoding="utf-8")
        assert generated.GENERATED.search(text) and generated.with_tables(text) == text, file


def test_every_simulator_is_shown_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    pictures = importlib.import_module("lab_pictures")
    page, readme = ((ROOT / name).read_text() for name in ("docs/lab.md", "README.md"))
    shown = pictures.sheets()
    assert [key for name, keys in shown.items() if name != "five" for key in keys] == list(simulators())
    assert all(f"| {key} |" in page for key in simulators())
    for name in shown:
        file = pictures.FOLDER / f"{name}.png"
        assert file.stat().st_size < 150_000
        pattern = rf"!\[([^\]]*)\]\((?:docs/)?lab/{name}\.png\)"
        [alternative] = re.findall(pattern, page + readme)
        assert len(alternative) > 40
    # Another version of Pillow may choose other colours and draw letters otherwise; the pictures are these.
    made = np.asarray(pictures.sheet(shown["codecs"], 2, 0).convert("RGB"), np.float64)
    committed = np.asarray(Image.open(pictures.FOLDER / "codecs.png").convert("RGB"), np.float64)
    assert made.shape == committed.shape and np.abs(made - committed).mean() < 4


def test_every_kind_of_detector_has_a_page() -> None:
    table = (ROOT / "docs/detectors/README.md").read_text()
    linked = re.findall(r"^\| \[[^\]]*\]\((\w+\.md)\) \| `(\w+)`", table, flags=re.MULTILINE)
    assert {kind for _, kind in linked} == set(kinds())
    for page, _ in linked:
        text = (ROOT / "docs/detectors" / page).read_text()
        assert all(f"## {title}\n" in text for title in ("Checked against", "What it reaches", "Changes"))
