"""Stage audit: which generators do the files alone give away?"""

from __future__ import annotations

import polars as pl

from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import cost
from nsnet.core.settings import load_section
from nsnet.corpus.audit import audit
from nsnet.corpus.contracts import BiasAudit, Images, Samples
from nsnet.corpus.pairings import pairings
from nsnet.corpus.settings import Audit


def audit_corpus(paths: Paths, settings: Audit) -> pl.DataFrame:
    """Write and return the table bias_audit of the corpus in `paths`."""
    images, samples = (read_table(kind, paths.table(kind)) for kind in (Images, Samples))
    found = audit(images, pairings(samples), settings.flag_auc, settings.seed)
    write_table(BiasAudit, found, paths.table(BiasAudit))
    return found


def main() -> None:
    paths = Paths()
    with cost(paths.cost("audit")):
        found = audit_corpus(paths, load_section(paths.params, "audit", Audit))
    flagged = found.filter("flagged")
    print(f"audit: {flagged.height} of {found.height} generators are given away by their files alone")
    for suite, generator, sentence in flagged.select("suite", "generator", "sentence").iter_rows():
        print(f"  {suite}/{generator}: {sentence}")
