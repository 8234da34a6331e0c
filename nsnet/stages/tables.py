"""Stage tables: Markdown, CSV and plots that people read."""

from __future__ import annotations

import polars as pl

from nsnet import config, reports
from nsnet.config import load_params
from nsnet.parquet import read_table
from nsnet.paths import Paths
from nsnet.plots import generators_plot, spectrum_plot
from nsnet.progress import cost
from nsnet.world import describe

SHOWN = ["nsnet", "univfd", "cnn-control"]


def write_tables(paths: Paths, trained: Paths, params: config.Params, suite: str) -> None:
    """Write every report of the evaluation in `paths`, whose runs lie in `trained`."""
    runs = read_table("runs", trained.table("runs"))
    results, means = (read_table(name, paths.table(name)) for name in ("results", "means"))
    notes = _notes(runs, results, params, suite)
    for training_set in runs["training_set"].unique().sort():
        mine = runs.filter(training_set=training_set)
        of_set = f"trained on {training_set}"
        for name, frame, title in (
            ("leaderboard", reports.leaderboard(mine, means, training_set), "Leaderboard, held-out generators"),
            ("cross_domain", reports.cross_domain(mine, results, training_set), "Accuracy by generator"),
            ("families", reports.families(mine, means, training_set), "Held-out accuracy by family"),
            ("per_generator", reports.per_generator(mine, results, training_set), "All metrics by generator"),
        ):
            reports.write_report(paths, f"{name}_{training_set}", frame, f"{title}, {of_set}", notes)
        picture = paths.tables / "plots" / f"generators_{training_set}.svg"
        generators_plot(results, mine, SHOWN, f"{suite}: {of_set}", picture)
    reports.write_report(
        paths,
        "controls",
        reports.controls(runs, means),
        "Controls: planted bias, and which directions are projected out",
        [*notes, "Linear heads without the contrastive loss; mean held-out accuracy and its 95 % interval."],
    )
    spectrum_plot(
        read_table("semantic_spectrum", trained.table("semantic_spectrum")), paths.tables / "plots" / "spectrum.svg"
    )


def _notes(runs: pl.DataFrame, results: pl.DataFrame, params: config.Params, suite: str) -> list[str]:
    counts = {column: results[column].to_list() for column in ("n_fake", "n_real")}
    n_fake, n_real = (f"{min(values)} to {max(values)}" for values in counts.values())
    return [
        f"**{describe(suite, params.backbone.model)}.**",
        "acc is the mean of R.Acc and F.Acc at threshold 0.5; ap gives both classes half of the weight."
        f" Per generator {n_fake} fakes against {n_real} reals;"
        f" 95 % intervals from {params.evaluate.bootstrap} stratified bootstrap draws over images.",
        f"Data {runs['data_checksum'][0]}, backbone {runs['backbone_id'][0]}, trained at"
        f" {runs['git_revision'][0]}, evaluated at {results['git_revision'][0]}.",
    ]


def main() -> None:
    paths = Paths()
    params = load_params(paths.params)
    with cost(paths.cost("tables")):
        write_tables(paths, paths, params, params.corpus.suite)
    print(f"tables: {', '.join(sorted(path.name for path in paths.tables.glob('*.md')))} in {paths.tables}/")
