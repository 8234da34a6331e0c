"""What a figure of a bench must reach: a line that says so, which `bench/run.py` makes a table of."""

from __future__ import annotations

import re
from typing import NamedTuple

_LINE = re.compile(
    r"target: (?P<name>.+); (?P<bound>at (?:least|most) \S+); measured (?P<value>\S+),"
    r" (?P<met>met|MISSED|within noise, .+)"
)
Interval = tuple[float, float]


class Target(NamedTuple):
    """One, as it was told."""

    name: str
    bound: str
    value: str
    met: str


def tell(
    name: str, value: float, *, least: float | None = None, most: float | None = None, interval: Interval | None = None
) -> None:
    """Print a target and whether it is met.

    Args:
        name: what is measured.
        value: that was measured.
        least, most: exactly one of them, which the value must reach, or not pass.
        interval: of the value, if there is one: a miss is within noise where an end of it keeps the bound.
    """
    assert (least is None) != (most is None)
    bound = f"at least {least:g}" if least is not None else f"at most {most:g}"
    low, high = interval or (value, value)
    met = "met" if _keeps(value, least, most) else "MISSED"
    if met == "MISSED" and any(_keeps(end, least, most) for end in (low, high)):
        met = f"within noise, {low:.2f} to {high:.2f}"
    print(f"target: {name}; {bound}; measured {value:.3g}, {met}", flush=True)


def _keeps(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def told(output: str) -> list[Target]:
    """The targets in what a bench has printed, in order."""
    return [Target(**found.groupdict()) for line in output.splitlines() if (found := _LINE.fullmatch(line))]
