"""Pages as a browser has them: what they hold, and a headless Chromium where there is one."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Debian's package chromium is not installed")


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def addresses(self) -> list[str]:
        """Of all that a browser would load or lead to."""
        return [
            one.get(name) or "" for _, one in self.tags for name in ("src", "href", "data", "action") if name in one
        ]


def browse(page: Path, state: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Open a page in Chromium, without network.

    Args:
        page: the file.
        state: behind its address.
        words: further options.

    Returns:
        What Chromium said; the page itself on stdout with --dump-dom.
    """
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={page.parent / 'profile'}"),
        *("--virtual-time-budget=20000", "--enable-logging=stderr"),
    ]
    return subprocess.run([*command, *words, f"{page.as_uri()}{state}"], capture_output=True, text=True, timeout=120)


def complaints(finished: subprocess.CompletedProcess[str]) -> list[str]:
    """What the page said on the console."""
    return [line for line in finished.stderr.splitlines() if "CONSOLE" in line]
