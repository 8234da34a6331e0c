"""The commands `nsnet nights ...`: what the nightly evaluation published, and what a person decides of it."""

from __future__ import annotations

from typing import Annotated

import typer

from nsnet.cli.project import known_project
from nsnet.core.console import clear_errors, print_table

app = typer.Typer(no_args_is_help=True, help="Nights of the nightly evaluation: look, accept, roll back.")

Night = Annotated[int, typer.Argument(help="Its number, as `nsnet nights list` has it.", min=1)]
Why = Annotated[str, typer.Option(help="The reason, kept with the decision.")]


@app.command("list")
def list_nights(last: Annotated[int, typer.Option(help="Only so many of the newest.", min=1)] = 14) -> None:
    """List the newest nights: what each came to, what it found, and which one is published.

    Example:

      nsnet nights list --last 30
    """
    from nsnet.nightly.records import accepted
    from nsnet.reporting.nights.contracts import NightFindings, Nights
    from nsnet.reporting.nights.tables import read_nights

    paths = known_project()
    with clear_errors():
        nights = read_nights(Nights, paths.nights).sort("night").tail(last)
        findings = read_nights(NightFindings, paths.nights)
        published = accepted(paths.nights)
    rows = []
    for night in nights.to_dicts():
        found = findings.filter(night=night["night"])["finding"].unique(maintain_order=True).to_list()
        mark = "published" if published and published.night == night["night"] else ""
        facts = (night["night"], f"{night['started_at']:%Y-%m-%d %H:%M}", night["outcome"], mark, night["version"])
        rows.append((*facts, night["revision"], ", ".join(found)))
    print_table(["night", "started (UTC)", "outcome", "", "version", "revision", "findings"], rows)


@app.command()
def show(night: Night) -> None:
    """Print what a night found, in full, and what has been decided of it.

    Example:

      nsnet nights show 12
    """
    from nsnet.reporting.nights.contracts import NightDecisions, NightFindings, Nights
    from nsnet.reporting.nights.tables import read_nights

    paths = known_project()
    with clear_errors():
        facts = read_nights(Nights, paths.nights).filter(night=night).to_dicts()
        if not facts:
            raise ValueError(f"night {night}: there is none; `nsnet nights list` has those that there are")
        findings = read_nights(NightFindings, paths.nights).filter(night=night).to_dicts()
        decisions = read_nights(NightDecisions, paths.nights).filter(night=night).to_dicts()
    for name, value in facts[0].items():
        print(f"{name}: {'-' if value is None else value}")
    for row in findings:
        print(f"{row['finding']}{' (blocks)' if row['blocks'] else ''}: {row['subject']}: {row['detail']}")
    for row in decisions:
        print(f"{row['decided_at']:%Y-%m-%d %H:%M} {row['action']} by {row['by']}: {row['why']}")


@app.command()
def accept(night: Night, why: Why) -> None:
    """Publish a night that was refused: from now on the next nights are compared with it.

    Example:

      nsnet nights accept 12 --why "the new backbone is worth two points on one generator"
    """
    _decide(night, "accepted", why)


@app.command()
def rollback(night: Night, why: Why) -> None:
    """Publish an earlier night's tables again; nothing is deleted, and a later decision can undo it.

    Example:

      nsnet nights rollback 9 --why "night 10 was made on a broken disk"
    """
    _decide(night, "rolled back", why)


@app.command()
def publish() -> None:
    """Build the published catalogue again from the accepted night, as after a copy or a damaged file.

    Example:

      nsnet nights publish
    """
    from nsnet.nightly.publishing import publish as build

    with clear_errors():
        catalogue = build(known_project())
    print(f"{catalogue}: built again" if catalogue else "no night was accepted yet: there is nothing to publish")


def _decide(night: int, action: str, why: str) -> None:
    import getpass

    from nsnet.nightly.publishing import decide_for

    paths = known_project()
    with clear_errors():
        chosen = decide_for(paths, night, action, getpass.getuser(), why)
    print(f"night {chosen.night} is published: {paths.published}")
