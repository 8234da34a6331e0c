"""The printed tables: each is the rows of a view, as CSV, and laid out for reading, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import polars as pl

from nsnet.core.printing import csv_text, markdown_table
from nsnet.evaluation.contracts import EXTERNAL
from nsnet.features.conditions import CLEAN
from nsnet.reporting.layout import Pivot, folded, pivoted

# Columns that name no row, and are left to CSV where Markdown has no room.
_OWN = "training_set = getvariable('training_set') AND train_condition = getvariable('train_condition')"
_RANKED = """
    SELECT suite, condition, detector, COLUMNS('^(acc|ap)(_population)?(_low|_high)?$'),
           COLUMNS('^(auroc|acc_validation)(_low|_high)?$'), r_acc, f_acc, plain_acc, plain_ap,
           COLUMNS('^in_domain_acc'), COLUMNS('^(acc|ap)_difference'), n_seeds, n_generators, origin
    FROM leaderboard WHERE """


@dataclass(frozen=True)
class Report:
    """One printed table.

    Attributes:
        name: of its files, before the training set's.
        title: heading.
        sql: its rows; for a table of one training set with the variables training_set and train_condition.
        key: columns that name a row.
        each: one table for each training set and training condition.
        layout: how Markdown shows the rows; number, interval and the rest in columns if left out.
        hidden: columns in CSV only.
        note: what a reader must know of this table alone.
        condition: SQL that says whether there is anything to show.
    """

    name: str
    title: str
    sql: str
    key: tuple[str, ...]
    each: bool = True
    layout: Pivot | None = None
    hidden: tuple[str, ...] = ()
    note: str = ""
    condition: str = "SELECT true"


REPORTS = (
    Report(
        "leaderboard",
        "Leaderboard, held-out generators",
        _RANKED + _OWN,
        ("suite", "condition", "detector"),
        hidden=("origin",),
    ),
    Report(
        "cross_domain",
        "Accuracy by generator",
        f"SELECT * EXCLUDE (training_set, train_condition) FROM cross_domain WHERE {_OWN}",
        ("suite", "generator", "condition", "detector"),
        layout=Pivot(
            (
                *("suite", "condition", "in_domain", "family", "generator"),
                *("n_real", "n_fake", "file_auc", "files_give_label_away"),
            ),
            "detector",
            "acc",
            interval=False,
        ),
        note="Intervals and the other metrics are in the CSV file and in per_generator.",
    ),
    Report(
        "families",
        "Held-out accuracy by family",
        f"SELECT * EXCLUDE (training_set, train_condition) FROM families WHERE {_OWN}",
        ("suite", "condition", "detector", "family"),
        layout=Pivot(("suite", "condition", "detector"), "family", "acc"),
    ),
    Report(
        "per_generator",
        "All metrics by generator",
        f"SELECT * EXCLUDE (training_set, train_condition) FROM per_generator WHERE {_OWN}",
        ("suite", "generator", "condition", "detector", "metric"),
        layout=Pivot(
            ("suite", "condition", "family", "generator", "in_domain", "detector"),
            "metric",
            "value",
            shown=("acc", "acc_validation", "ap", "auroc", "f_acc", "plain_acc", "plain_ap", "r_acc"),
        ),
        note="The metrics of the table deployment are in the CSV file, and acc_oracle: acc at the threshold that is"
        " best on these very test pictures, another for every run and generator, an upper bound that nobody can use.",
    ),
    Report(
        "deployment",
        "What a user of a detector asks, held-out generators",
        f"SELECT * EXCLUDE (training_set, train_condition) FROM deployment WHERE {_OWN}",
        ("suite", "condition", "detector"),
        note="tpr is the share of fakes that a threshold catches which calls at most 1 % or 5 % of the test's reals"
        " fake: of 500 that is five, so the number is rough. precision is the share of alarms at threshold 0.5 that"
        " are right where one picture in a hundred is fake, 0 without an alarm. ece is the expected calibration error"
        " in 15 bins, both classes with half of the weight; scaled, once the temperature that was best on validation"
        " divides the logits.",
    ),
    Report(
        "differences",
        "Paired differences of every two detectors, row minus column",
        f"SELECT * EXCLUDE (training_set, train_condition) FROM differences WHERE {_OWN}",
        ("suite", "condition", "group", "metric", "detector", "reference"),
        layout=Pivot(("suite", "condition", "group", "metric", "detector"), "reference", "difference"),
        note="Intervals for another generator are in the CSV file. One interval in twenty misses what it is for: of"
        " many pairs some leave zero out by chance.",
    ),
    Report(
        "real_sources",
        "R.Acc by source of the reals",
        f"""
    SELECT suite, condition, detector, real_pool, source, n_real, n_clusters, n_seeds, COLUMNS('^r_acc')
    FROM real_sources WHERE {_OWN} ORDER BY suite, condition, detector, real_pool, source""",
        ("suite", "condition", "detector", "real_pool", "source"),
        note="Share of a source's pictures called real at threshold 0.5, and at each run's own threshold. A pool whose"
        " pictures name no source is its own.",
    ),
    Report(
        "controls",
        "Controls: planted bias, and which directions are projected out",
        "FROM controls",
        ("suite", "condition", "training_set", "train_condition", "view", "detector"),
        each=False,
        layout=Pivot(("suite", "condition", "training_set", "train_condition", "view"), "null_space", "acc"),
        note="Linear heads without adapter and contrastive loss; mean held-out accuracy.",
        condition="SELECT count(*) > 0 FROM controls",
    ),
    Report(
        "protocols",
        "Training sets beside each other: mean held-out AUROC",
        "FROM protocols",
        ("suite", "condition", "train_condition", "detector", "training_set"),
        each=False,
        layout=Pivot(("suite", "condition", "train_condition", "detector"), "training_set", "auroc"),
        condition="SELECT count(DISTINCT training_set) > 2 FROM protocols",
        note="Accuracies, the interval for another generator and n are in the CSV file. A training set that is drawn"
        " several times has a draw for each seed, and a run is judged on the generators it was not trained on.",
    ),
    Report(
        "plug_and_play",
        "Plug and play: kinds of detectors, and what is projected out of what they are shown",
        "FROM plug_and_play",
        ("suite", "condition", "training_set", "train_condition", "kind", "view", "detector"),
        each=False,
        layout=Pivot(("suite", "condition", "training_set", "train_condition", "kind", "view"), "null_space", "acc"),
        # Heads, one kind that moves and a control stand beside each other in the ablation.
        condition="SELECT count(DISTINCT kind) > 3 FROM plug_and_play",
        note="One part at a time: no contrastive loss, no adapter, the null space as it was estimated. Mean held-out"
        " accuracy; paired differences are in the tables differences.",
    ),
    Report(
        "contrastive",
        "The contrastive loss: on against off, adapter kept, and against no adapter",
        "SELECT * EXCLUDE (differs, differs_elsewhere) FROM contrastive",
        ("suite", "condition", "training_set", "train_condition", "detector", "reference", "metric"),
        each=False,
        note="Mean held-out metric of the detector with the loss minus that of the reference, paired.",
        condition="SELECT count(*) > 0 FROM contrastive",
    ),
    Report(
        "ablation",
        "Ablation: null space, patch selection and contrastive loss, on the frozen backbone and with LoRA",
        "FROM ablation",
        ("suite", "condition", "training_set", "train_condition", "detector"),
        each=False,
        note="Held-out means. On the frozen backbone the contrastive loss needs an adapter, which stands for LoRA.",
        condition="SELECT count(*) > 0 FROM ablation",
    ),
    Report(
        "conditions",
        "Training condition against test condition: mean held-out accuracy",
        "FROM conditions",
        ("suite", "training_set", "detector", "train_condition", "test_condition"),
        each=False,
        layout=Pivot(("suite", "training_set", "detector", "train_condition"), "test_condition", "acc"),
        condition="SELECT count(DISTINCT (train_condition, test_condition)) > 1 FROM conditions",
    ),
    Report(
        "robustness",
        "What conditions cost, and what training on them gains: held-out means",
        "FROM robustness",
        ("suite", "training_set", "detector", "train_condition", "condition"),
        each=False,
        hidden=("acc_population_low", "acc_population_high", "auroc_population_low", "auroc_population_high"),
        condition="SELECT count(*) > 0 FROM condition_shifts",
        note="delivered: minus the same runs on the pictures as they are; matched: minus runs that were trained on"
        " those, under the same condition; both paired. Intervals for another generator are in the CSV file.",
    ),
    Report(
        "flip_rates",
        "Flip rates: decisions that change when the same pictures are shown otherwise",
        "FROM flip_rates",
        ("suite", "training_set", "train_condition", "condition", "detector"),
        each=False,
        condition="SELECT count(*) > 0 FROM flip_rate",
        note="Share of test pictures whose decision, at each run's own threshold, is not that on the same pictures as"
        " they are. The interval is for this benchmark again.",
    ),
    Report(
        "bias_audit",
        "Bias audit: what the files give away",
        "FROM bias",
        ("suite", "generator"),
        each=False,
        condition="SELECT count(*) > 0 FROM bias",
    ),
)


@dataclass(frozen=True)
class Printed:
    """A report's rows for one training set, or for all; `name` is that of its files."""

    report: Report
    name: str
    title: str
    rows: pl.DataFrame

    @property
    def csv(self) -> str:
        """The rows as CSV."""
        return csv_text(self.rows)

    @property
    def markdown(self) -> str:
        """The rows as a Markdown table."""
        layout = self.report.layout
        shown = pivoted(self.rows, layout) if layout else folded(self.rows.drop(self.report.hidden))
        return markdown_table(shown.rename({name: name.replace("_", " ") for name in shown.columns}))


def training_sets(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """(training_set, train_condition) of every current run, in order."""
    return connection.sql("SELECT DISTINCT training_set, train_condition FROM detectors ORDER BY ALL").fetchall()


def label(training_set: str, train_condition: str) -> tuple[str, str]:
    """What a table of a training set is called in file names, and in words.

    Args:
        training_set, train_condition: of the table.

    Returns:
        Both.
    """
    if train_condition == CLEAN.name:
        if training_set == EXTERNAL:
            return training_set, "external detectors"
        return training_set, f"trained on {training_set}"
    return f"{training_set}_{train_condition}", f"trained on {training_set}, {train_condition}"


def printed(connection: duckdb.DuckDBPyConnection) -> Iterator[Printed]:
    """Every report of an evaluation, from a connection with the views (`views.open_tables`)."""
    for report in REPORTS:
        if not connection.sql(report.condition).fetchall()[0][0]:
            continue
        if not report.each:
            yield Printed(report, report.name, report.title, connection.sql(report.sql).pl())
            continue
        for place in training_sets(connection):
            for variable, value in zip(("training_set", "train_condition"), place, strict=True):
                connection.execute(f"SET VARIABLE {variable} = $value", {"value": value})
            suffix, words = label(*place)
            rows = connection.sql(report.sql).pl()
            yield Printed(report, f"{report.name}_{suffix}", f"{report.title}, {words}", rows)
