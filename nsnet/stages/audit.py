"""Stage audit: which generators do the files alone give away?"""

from __future__ import annotations

from nsnet.core.paths import Paths
from nsnet.core.progress import cost
from nsnet.core.settings import load_section
from nsnet.corpus.audit import audit_corpus
from nsnet.corpus.settings import Audit


def main() -> None:
    paths = Paths()
    with cost(paths.cost("audit")):
        generators = audit_corpus(paths, load_section(paths.params, "audit", Audit))
    flagged = generators.filter("flagged")
    print(f"audit: {flagged.height} of {generators.height} generators are given away by their files alone")
    for suite, generator, sentence in flagged.select("suite", "generator", "sentence").iter_rows():
        print(f"  {suite}/{generator}: {sentence}")
