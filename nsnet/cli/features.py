"""The commands `nsnet features ...`: what the feature store holds, and throwing away what nobody asks for."""

from __future__ import annotations

from typing import Annotated

import typer

from nsnet.cli.project import known_project
from nsnet.core.console import clear_errors, print_table

app = typer.Typer(no_args_is_help=True, help="The store of features in store/features.")


@app.command()
def show() -> None:
    """Print what the store holds: pictures, size and seconds by backbone, condition and suite.

    Example:

      nsnet features show
    """
    from nsnet.features.prune import usage

    store = known_project().feature_store
    with clear_errors():
        rows = usage(store)
    columns = ["backbone", "id", "condition", "suite", "parts", "pictures", "MB", "read s", "decode s", "forward s"]
    print_table(
        [*columns, "write s"],
        (
            (
                row.backbone,
                row.backbone_id,
                row.condition,
                row.suite,
                row.parts,
                row.pictures,
                round(row.bytes / 1e6, 1),
                *(round(row.seconds[name], 1) for name in ("read", "decode", "forward", "write")),
            )
            for row in rows
        ),
    )
    print(f"{sum(row.parts for row in rows)} parts in {store}/")


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option(help="Say what would be deleted, and delete nothing.")] = False,
) -> None:
    """Delete what params.yaml does not ask for now: other backbones, other conditions, pictures no longer ingested.

    Damaged parts that were set aside and leftovers of killed runs go too. Nothing else ever
    deletes features; what is pruned is computed again when it is next asked for.

    Example:

      nsnet features prune --dry-run
    """
    from nsnet.core.parquet import read_table
    from nsnet.corpus.contracts import Images
    from nsnet.features.backbone import load_backbone
    from nsnet.features.conditions import choose
    from nsnet.features.prune import delete, size_of, stale_paths
    from nsnet.params import load_params

    paths = known_project()
    with clear_errors():
        params = load_params(paths.params)
        names = [*params.train.conditions, *params.evaluate.conditions]
        condition_ids = [condition.id for condition in choose(names, params.conditions)]
        image_ids = set(read_table(Images, paths.table(Images))["image_id"].drop_nulls())
        stale = list(stale_paths(paths.feature_store, load_backbone(params.backbone).id, condition_ids, image_ids))
        freed = 0
        for path in stale:
            print(path)
            freed += size_of(path)
            if not dry_run:
                delete(path)
    print(f"{len(stale)} paths, {freed / 1e6:.1f} MB {'would be deleted' if dry_run else 'deleted'}")
