"""A night with other settings, in a folder of its own: nothing of the project changes, and nothing is published."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from nsnet.core.files import atomic_path
from nsnet.core.names import unknown
from nsnet.core.paths import Paths
from nsnet.core.provenance import digest
from nsnet.core.settings import read_values, validated
from nsnet.core.template import create_project
from nsnet.params import Params


@dataclass(frozen=True)
class Trial:
    """What is asked for in place of the settings.

    Attributes:
        seed: the only training seed; None leaves them.
        suite: the only one that is shown; None shows all.
        detectors: the only ones; none leaves them.
    """

    seed: int | None = None
    suite: str | None = None
    detectors: tuple[str, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether anything is."""
        return self != Trial()

    @property
    def words(self) -> str:
        """What is asked for."""
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items() if value not in (None, ()))


def prepare_trial(paths: Paths, trial: Trial) -> Path:
    """Make a project below store/ whose settings are the project's but for what is asked, with the same data and store.

    Args:
        paths: the project.
        trial: what is asked for.

    Returns:
        Its folder; the same for the same question, so that asking again costs little.

    Raises:
        ValueError: as for params.yaml: an unknown detector with its nearest name, a seed below 0.
        OSError: a file cannot be written.
    """
    text = yaml.safe_dump(_values(paths, trial), sort_keys=False)
    folder = paths.store / "trials" / digest([trial.seed, list(trial.detectors)])
    create_project(folder, update=True, data=paths.data)
    cache = {"dir": str((paths.root / ".dvc" / "cache").resolve()), "type": "reflink,hardlink,copy"}
    config = {"core": {"analytics": "false", "no_scm": "true"}, "cache": cache}
    sections = [
        f"[{name}]\n" + "".join(f"    {key} = {value}\n" for key, value in each.items())
        for name, each in config.items()
    ]
    for name, content in (("params.yaml", text), (".dvc/config", "".join(sections))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    if not (folder / "store").exists():
        (folder / "store").symlink_to(paths.store.resolve(), target_is_directory=True)
    return folder


def _values(paths: Paths, trial: Trial) -> dict[str, object]:
    values = read_values(paths.params)
    train, evaluate = values["train"], values["evaluate"]
    if trial.seed is not None:
        train["seeds"] = [trial.seed]
    if trial.detectors:
        known = train["detectors"]
        strange = [name for name in trial.detectors if name not in known]
        if strange:
            raise ValueError("; ".join(str(unknown("detector", name, known)) for name in strange))
        train["detectors"] = {name: known[name] for name in known if name in trial.detectors}
        if evaluate["baseline"] not in trial.detectors:
            evaluate["baseline"] = trial.detectors[0]
        shown = [name for name in evaluate["shown"] if name in trial.detectors]
        evaluate["shown"] = shown or [evaluate["baseline"]]
    validated(values, Params, f"{paths.params} with {trial.words}")
    return values
