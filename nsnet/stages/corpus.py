"""Stage corpus: read the raw corpora in data/ into the tables images, samples and duplicates."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nsnet.core.contracts import table_name
from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.core.settings import load_section
from nsnet.corpus import settings as sections
from nsnet.corpus.contracts import Duplicates, Images, Samples
from nsnet.corpus.ingest import Corpus, ingest

# Every file is in the table images; a log of a million lines helps nobody.
SHOWN = 20


def read_corpus(root: Path, paths: Paths, suite: str | None, workers: int, allow_leakage: list[str]) -> str:
    """Write the three tables and return sentences that account for every file."""
    with bar("corpus", None) as advance:
        corpus = ingest(root, paths.scan_index, suite, workers, allow_leakage, advance)
    for kind in (Images, Samples, Duplicates):
        write_table(kind, getattr(corpus, table_name(kind)), paths.table(kind))
    return account(corpus)


def account(corpus: Corpus) -> str:
    """images in = used + rejected, and why each was rejected or converted."""
    images, samples = corpus.images, corpus.samples
    used, rejected = (images.filter(status=status) for status in ("used", "rejected"))
    assert images.height == used.height + rejected.height
    fakes = samples.filter(label=1).select("suite", "generator").unique().height
    lines = [
        f"corpus: {images.height} images in = {used.height} used + {rejected.height} rejected;"
        f" {samples.height} samples of {fakes} generators; suites: {', '.join(samples['suite'].unique().sort())}"
    ]
    for kind, rows in (("rejected", rejected), ("converted", used.filter(pl.col("reason").is_not_null()))):
        shown = rows.select("path", "reason").head(SHOWN).iter_rows()
        lines += [f"  {kind} {path}: {reason}" for path, reason in shown]
        lines += [f"  ... and {rows.height - SHOWN} more {kind}: table images"] if rows.height > SHOWN else []
    kinds = corpus.duplicates.group_by("kind").len().sort("kind")
    lines += [f"  {count} pairs of {kind} duplicates: table duplicates" for kind, count in kinds.iter_rows()]
    if corpus.others:
        others = ", ".join(f"{suffix} {count}" for suffix, count in corpus.others.items())
        lines.append(f"  left alone, no pictures: {others}")
    return "\n".join(lines)


def main() -> None:
    paths = Paths()
    settings = load_section(paths.params, "corpus", sections.Corpus)
    with cost(paths.cost("corpus")):
        print(read_corpus(paths.data, paths, settings.suite, settings.workers, settings.allow_leakage))
