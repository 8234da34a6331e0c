"""Stage corpus: read the raw corpora in data/ into the tables images, samples and duplicates."""

from __future__ import annotations

from nsnet.core.paths import Paths
from nsnet.core.progress import cost
from nsnet.core.settings import load_section
from nsnet.corpus.account import read_corpus
from nsnet.corpus.inspection import Limits
from nsnet.corpus.settings import Corpus


def main() -> None:
    paths = Paths()
    settings = load_section(paths.params, "corpus", Corpus)
    limits = Limits(settings.max_bytes, settings.max_pixels)
    with cost(paths.cost("corpus")):
        known = (settings.suite, settings.workers, settings.allow_leakage, settings.protocols)
        print(read_corpus(paths.data, paths, *known, limits))
