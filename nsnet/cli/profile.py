"""The commands `nsnet profile ...`: reviewed settings for other worlds."""

from __future__ import annotations

import typer

from nsnet.cli.project import known_project
from nsnet.core.console import clear_errors

app = typer.Typer(no_args_is_help=True, help="Reviewed settings: the paper's on a GPU, the lab in full.")


@app.command("list")
def list_profiles() -> None:
    """List the profiles, with the first line of each.

    Example:

      nsnet profile list
    """
    from nsnet.profiles import profile_file, profile_names

    for name in profile_names():
        print(f"{name}: {profile_file(name).read_text(encoding='utf-8').splitlines()[0].removeprefix('# ')}")


@app.command()
def show(name: str) -> None:
    """Print what a profile changes in params.yaml.

    Example:

      nsnet profile show paper
    """
    from nsnet.profiles import profile_file

    with clear_errors():
        print(profile_file(name).read_text(encoding="utf-8"), end="")


@app.command()
def use(name: str) -> None:
    """Lay a profile over params.yaml; git shows what changed, and brings it back.

    Example:

      nsnet profile use paper && git diff params.yaml
    """
    from nsnet.profiles import use_profile

    with clear_errors():
        changed = use_profile(name, known_project().params)
    print(f"params.yaml, {len(changed)} values changed: {', '.join(changed) or 'none'}")
