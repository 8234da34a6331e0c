"""Stage corpus: read the raw corpora in data/ into the tables images, samples and duplicates."""

from __future__ import annotations

from nsnet.core.foresight import Work
from nsnet.core.paths import Paths
from nsnet.core.progress import cost
from nsnet.core.settings import load_section
from nsnet.corpus.account import account, foresee_corpus, read_corpus
from nsnet.corpus.inspection import Limits
from nsnet.corpus.settings import Corpus


def foresee(paths: Paths) -> list[Work]:
    """What the stage would do; roles, duplicates and leakage are looked at anew in any case."""
    settings = load_section(paths.params, "corpus", Corpus)
    limits = Limits(settings.max_bytes, settings.max_pixels)
    return [foresee_corpus(paths.data, paths, settings.suite, "corpus", limits)]


def main() -> None:
    paths = Paths()
    settings = load_section(paths.params, "corpus", Corpus)
    limits = Limits(settings.max_bytes, settings.max_pixels)
    with cost(paths.cost("corpus")) as figures:
        known = (settings.suite, settings.workers, settings.allow_leakage, settings.protocols)
        corpus = read_corpus(paths.data, paths, *known, limits)
        figures["items"] = corpus.inspected
    print(account(corpus))
