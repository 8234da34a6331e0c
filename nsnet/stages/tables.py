"""Stage tables: Markdown, CSV and plots that people read."""

from __future__ import annotations

import polars as pl

from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.progress import cost
from nsnet.core.world import describe
from nsnet.corpus.contracts import BiasAudit
from nsnet.evaluation.contracts import Means, Results
from nsnet.features.contracts import CLEAN
from nsnet.params import Params, load_params
from nsnet.reporting import tables as reports
from nsnet.reporting.plots import audit_plot, generators_plot, spectrum_plot
from nsnet.semantics.contracts import SemanticSpectrum
from nsnet.training.contracts import Runs

SHOWN = ["nsnet", "univfd", "cnn-control"]
KEY = ["suite", "generator", "sentence"]


def write_tables(paths: Paths, trained: Paths, params: Params) -> None:
    """Write every report of the evaluation in `paths`, whose runs lie in `trained`."""
    runs = read_table(Runs, trained.table(Runs))
    results, means, bias = (read_table(kind, paths.table(kind)) for kind in (Results, Means, BiasAudit))
    notes = _notes(runs, results, params)
    for (training_set, condition), mine in sorted(runs.partition_by("training_set", "condition", as_dict=True).items()):
        suffix = training_set if condition == CLEAN else f"{training_set}_{condition}"
        told = f"trained on {training_set}" + ("" if condition == CLEAN else f", {condition}")
        for name, frame, title in (
            ("leaderboard", reports.leaderboard(mine, means), "Leaderboard, held-out generators"),
            ("cross_domain", reports.cross_domain(mine, results, bias), "Accuracy by generator"),
            ("families", reports.families(mine, means), "Held-out accuracy by family"),
            ("per_generator", reports.per_generator(mine, results, bias), "All metrics by generator"),
        ):
            reports.write_report(paths, f"{name}_{suffix}", frame, f"{title}, {told}", notes)
        for (suite,), rows in results.partition_by("suite", as_dict=True).items():
            picture = paths.tables / "plots" / f"generators_{suite}_{suffix}.svg"
            generators_plot(rows, mine, SHOWN, f"{suite}: {told}", picture)
    controls = "Linear heads without the contrastive loss; mean held-out accuracy and its 95 % interval."
    title = "Controls: planted bias, and which directions are projected out"
    reports.write_report(paths, "controls", reports.controls(runs, means), title, [*notes, controls])
    _write_audit(paths, bias, params, notes[:1])
    if runs["condition"].n_unique() > 1:
        title = "Pictures as they are, and harmonised: mean held-out accuracy and its 95 % interval"
        reports.write_report(paths, "conditions", reports.conditions(runs, means), title, notes)
    spectrum = read_table(SemanticSpectrum, trained.table(SemanticSpectrum))
    spectrum_plot(spectrum, paths.tables / "plots" / "spectrum.svg")


def _write_audit(paths: Paths, bias: pl.DataFrame, params: Params, notes: list[str]) -> None:
    flagged = bias.filter("flagged")
    finding = (
        f"{flagged.height} of {bias.height} generators are given away by their files alone: a decision tree that sees"
        f" format, size, aspect, JPEG quality, colour mode and EXIF, and no pixel, reaches AUC {params.audit.flag_auc}"
        " or more (cross-validated) on their test pictures."
    )
    told = [f"- {suite}/{generator}: {why}" for suite, generator, why in flagged[KEY].iter_rows()]
    lines = [*notes, finding, *(["\n".join(told)] if told else [])]
    reports.write_report(paths, "bias_audit", reports.bias_audit(bias), "Bias audit: what the files give away", lines)
    audit_plot(bias, params.audit.flag_auc, paths.tables / "plots" / "bias_audit.svg")


def _notes(runs: pl.DataFrame, results: pl.DataFrame, params: Params) -> list[str]:
    counts = {column: results[column].to_list() for column in ("n_fake", "n_real")}
    n_fake, n_real = (f"{min(values)} to {max(values)}" for values in counts.values())
    backbones = ", ".join(runs["backbone_id"].unique(maintain_order=True))
    return [
        f"**{describe(results['suite'].unique(), params.backbone.model)}.**",
        "acc is the mean of R.Acc and F.Acc at threshold 0.5; ap gives both classes half of the weight."
        f" Per generator {n_fake} fakes against {n_real} reals;"
        f" 95 % intervals from {params.evaluate.bootstrap} stratified bootstrap draws over images.",
        f"Trained on data {runs['data_checksum'][0]} at {runs['git_revision'][0]}, tested on data"
        f" {results['data_checksum'][0]} at {results['git_revision'][0]}; backbone {backbones}.",
    ]


def main() -> None:
    paths = Paths()
    params = load_params(paths.params)
    with cost(paths.cost("tables")):
        write_tables(paths, paths, params)
    print(f"tables: {', '.join(sorted(path.name for path in paths.tables.glob('*.md')))} in {paths.tables}/")
