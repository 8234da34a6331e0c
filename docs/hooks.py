"""Hooks of MkDocs: pages from the root of the checkout, links that leave docs/, mathematics without a script.

Pages are written for a git host: links are relative to the file, and reach the whole checkout. The site has docs/ and
what `BROUGHT` adds to it; a link to anything else keeps its words and loses its target.
"""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
# Files of the checkout beside docs/, and where the site has them.
BROUGHT = {
    "README.md": "index.md",
    "HISTORY.md": "history.md",
    "CONTRIBUTING.md": "contributing.md",
    "tables/plots/generators_lab_biased.svg": "plots/generators_lab_biased.svg",
    "conditions/tables/plots/conditions_lab_unbiased.svg": "plots/conditions_lab_unbiased.svg",
}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
# Above a table, where Markdown wants an empty line between.
COMMENT = re.compile(r"^(<!-- .* -->)\n(?=\|)", flags=re.MULTILINE)
MATHS = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the files that the site has from outside of docs/."""
    for source, place in BROUGHT.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """A page whose links stay within the site."""
    place = page.file.src_uri
    source = next((source for source, brought in BROUGHT.items() if brought == place), f"docs/{place}")

    def relinked(found: re.Match[str]) -> str:
        image, text, target = found.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return found[0]
        path, hash_sign, anchor = target.partition("#")
        within = in_site(posixpath.normpath(posixpath.join(posixpath.dirname(source), path)))
        if within is None:
            return text
        return f"{image}[{text}]({posixpath.relpath(within, posixpath.dirname(place) or '.')}{hash_sign}{anchor})"

    return COMMENT.sub(r"\1\n\n", LINK.sub(relinked, markdown))


def in_site(path: str) -> str | None:
    """Where the site has a path of the checkout; nothing if it leaves it out."""
    if path in BROUGHT:
        return BROUGHT[path]
    if not path.startswith("docs/") or path.startswith("docs/tables/"):
        return None
    return path.removeprefix("docs/") + ("/README.md" if (ROOT / path).is_dir() else "")


def on_page_content(content: str, page: Any, config: Any, files: Files) -> str:
    """A page whose formulas are MathML, which browsers show by themselves."""

    def formula(found: re.Match[str]) -> str:
        display = "block" if found[1] == "div" else "inline"
        return convert(html.unescape(found[2]).strip(), display=display)

    return MATHS.sub(formula, content)
