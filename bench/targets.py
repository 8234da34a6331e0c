"""What a figure of a bench must reach: a line that says so, which `bench/run.py` makes a table of."""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(
    r"target: (?P<name>.+); (?P<bound>at (?:least|most) \S+); measured (?P<value>\S+), (?P<met>met|MISSED)"
)


class Target(NamedTuple):
    """One, as it was told."""

    name: str
    bound: str
    value: str
    met: str


def tell(name: str, value: float, *, least: float | None = None, most: float | None = None) -> None:
    """Print a target and whether it is met; exactly one of the bounds is given."""
    assert (least is None) != (most is None)
    bound = f"at least {least:g}" if least is not None else f"at most {most:g}"
    met = value >= least if least is not None else most is not None and value <= most
    print(f"target: {name}; {bound}; measured {value:.3g}, {'met' if met else 'MISSED'}", flush=True)


def told(output: str) -> list[Target]:
    """The targets in what a bench has printed, in order."""
    return [Target(**found.groupdict()) for line in output.splitlines() if (found := _LINE.fullmatch(line))]
