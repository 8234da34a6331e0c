"""The table of figures that others published."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import STRINGS, Table, contract
from nsnet.evaluation.metrics import METRICS


@contract("published", stage="catalog")
class Published(Table):
    """A figure that others published, with what the registry, our conditions and our metrics call the same thing.

    Every figure of nsnet/reporting/published/figures.csv is here. Names of ours are null where we have no such thing;
    the column unmapped then says why. The names that the source used end in _printed.
    """

    row: pl.Int32 = pa.Field(ge=1, unique=True, description="its place in figures.csv, from 1")
    suite: str = pa.Field(nullable=True, description="samples.suite; null if the registry has none")
    generator: str = pa.Field(
        nullable=True, description="samples.generator; null of a mean, and where the registry has none"
    )
    generators: pl.List = pa.Field(
        dtype_kwargs=STRINGS,
        description="samples.generator of all that it is a plain mean over, by name; empty where we cannot tell",
    )
    method: str = pa.Field(description="detector, as printed")
    training_set: str = pa.Field(nullable=True, description="samples.training_set; null if the registry has none")
    condition: str = pa.Field(nullable=True, description="predictions.condition; null if none of ours is the same")
    metric: str = pa.Field(nullable=True, isin=METRICS, description="results.metric, the kind of accuracy or precision")
    value: pl.Float64 = pa.Field(ge=0, le=1, description="the figure; printed in per cent")
    unmapped: str = pa.Field(nullable=True, description="for each name of ours that is null, why; null if none is")
    doubt: str = pa.Field(nullable=True, description="what is known against it, and who says so")
    suite_printed: str = pa.Field(description="suite, as in figures.csv")
    generator_printed: str = pa.Field(description="generator or column, as the source printed it")
    training_set_printed: str = pa.Field(description="what the method was trained on, as the source says")
    condition_printed: str = pa.Field(description="clean, crop or jpeg, as in figures.csv")
    metric_printed: str = pa.Field(description="acc, ap, r_acc or f_acc, as the source printed it")
    source: str = pa.Field(description="repository, and the file or table in it")
    note: str = pa.Field(nullable=True, description="what was remarked when the figure was read")
