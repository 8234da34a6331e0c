"""Charts of the report: Vega-Lite by Altair, each a plain function of rows, as wide as its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import polars as pl

DIGITS = 4
ROW = 17  # pixels of a line of text
RED_TO_BLUE: Final = "redblue"
WIDE: Final = "container"

Chart = alt.Chart | alt.LayerChart | alt.FacetChart


def rounded(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with floats to four digits: what a reader sees, and a page of half the size."""
    return rows.with_columns(pl.selectors.float().round(DIGITS))


def dots(
    rows: pl.DataFrame,
    value: str,
    place: str,
    *,
    colour: str | None = None,
    elsewhere: bool = False,
    domain: tuple[float, float] = (0.4, 1.0),
    title: str,
) -> Chart:
    """A figure with its 95 % interval at each place, and thin the interval for another generator.

    Args:
        rows: with `value`, value_low, value_high and, if `elsewhere`, value_population_low and _high.
        value: column of the figure.
        place: column whose values are the lines, in the order of the rows.
        colour: column that tells several figures of a line apart.
        elsewhere: draw the interval for another generator too.
        domain: of the axis; wider where figures need it.
        title: of the axis.

    Returns:
        The chart.
    """
    low, high = f"{value}_low", f"{value}_high"
    if elsewhere:
        low, high = f"{value}_population_low", f"{value}_population_high"
    least, most = (rows[name].drop_nulls().to_list() for name in (low, high))
    scale = alt.Scale(domain=[min(domain[0], *least), max(domain[1], *most)], nice=False)
    lines = list(dict.fromkeys(rows[place]))
    encoding: dict[str, Any] = {"y": alt.Y(place, type="nominal", sort=lines, title=None)}
    names = list(dict.fromkeys(rows[colour])) if colour else []
    if colour:
        legend = alt.Legend(orient="bottom", columns=2, title=None, labelLimit=320)
        encoding["color"] = alt.Color(colour, type="nominal", sort=names, legend=legend)
        encoding["yOffset"] = alt.YOffset(colour, type="nominal", sort=names)
    shown = [name for name in (place, colour, value, f"{value}_low", f"{value}_high", low, high) if name]
    base = alt.Chart(rounded(rows)).encode(**encoding, tooltip=list(dict.fromkeys(shown)))
    at = alt.X(value, type="quantitative", scale=scale, title=title)

    def from_to(start: str, end: str, width: float) -> alt.Chart:
        x = alt.X(start, type="quantitative", scale=scale)
        return base.mark_rule(strokeWidth=width).encode(x=x, x2=end)

    layers = [
        from_to(f"{value}_low", f"{value}_high", 2),
        base.mark_point(filled=True, size=42, opacity=1).encode(x=at),
    ]
    if elsewhere:
        layers.insert(0, from_to(low, high, 0.8))
    height = (ROW * max(1, len(names)) * 0.75 + 4) * len(lines)
    return alt.layer(*layers).properties(width=WIDE, height=max(40, height))


def curve(rows: pl.DataFrame, x: str, value: str, colour: str, title: str) -> Chart:
    """Figures with their 95 % intervals along an axis, those of a name joined by a line.

    Args:
        rows: with `x`, `value`, value_low and value_high.
        x: column of the axis.
        value: column of the figure.
        colour: column that tells lines apart.
        title: of the axis.

    Returns:
        The chart.
    """
    low, high = f"{value}_low", f"{value}_high"
    names = list(dict.fromkeys(rows[colour]))
    base = alt.Chart(rounded(rows)).encode(
        x=alt.X(x, type="quantitative", title=title, scale=alt.Scale(zero=False, padding=20)),
        color=alt.Color(colour, type="nominal", sort=names, legend=_below()),
        tooltip=[colour, x, value, low, high],
    )
    scale = alt.Scale(domain=[min(0.4, *rows[low]), 1.0], nice=False)
    ends = base.mark_rule(strokeWidth=1.5).encode(y=alt.Y(low, type="quantitative", scale=scale), y2=high)
    line = base.mark_line(point=True).encode(y=alt.Y(value, type="quantitative", scale=scale, title=value))
    return alt.layer(ends, line).properties(width=WIDE, height=260)


def heat_map(rows: pl.DataFrame, across: str, down: str, value: str, middle: float, details: Sequence[str]) -> Chart:
    """A figure for each pair, its interval on hover: red below the middle, blue above.

    Args:
        rows: one for each pair.
        across, down: columns; the order of the rows counts.
        value: column of the colour.
        middle: white.
        details: columns that hovering shows too.

    Returns:
        The chart.
    """
    columns, lines = (list(dict.fromkeys(rows[name])) for name in (across, down))
    scale = alt.Scale(scheme=RED_TO_BLUE, domainMid=middle, domain=[2 * middle - 1, 1])
    return (
        alt.Chart(rounded(rows))
        .mark_rect()
        .encode(
            x=alt.X(across, type="nominal", sort=columns, title=None, axis=alt.Axis(labelAngle=-60, labelLimit=150)),
            y=alt.Y(down, type="nominal", sort=lines, title=None),
            color=alt.Color(value, type="quantitative", scale=scale, legend=alt.Legend(orient="top", title=value)),
            tooltip=[across, down, value, *details],
        )
        .properties(width=WIDE, height=ROW * len(lines))
    )


def histogram(rows: pl.DataFrame, title: str) -> Chart:
    """Shares of scores in bins, by label and detector, one below another.

    Args:
        rows: columns detector, label (real or fake), score (middle of a bin) and share.
        title: of the axis.

    Returns:
        The chart.
    """
    detectors = list(dict.fromkeys(rows["detector"]))
    return (
        alt.Chart(rounded(rows))
        .mark_line(interpolate="step")
        .encode(
            x=alt.X("score", type="quantitative", title=title, scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("share", type="quantitative", title="share of pictures"),
            color=alt.Color("detector", type="nominal", sort=detectors, legend=_below()),
            strokeDash=alt.StrokeDash("label", type="nominal", sort=["fake", "real"], legend=_below()),
            tooltip=["detector", "label", "score", "share"],
        )
        .properties(width=WIDE, height=220)
    )


def reliability(rows: pl.DataFrame) -> Chart:
    """Share of fakes against the mean score of a bin: on the diagonal a detector means what it says.

    Args:
        rows: columns detector, score, fakes (share) and n.

    Returns:
        The chart.
    """
    detectors = list(dict.fromkeys(rows["detector"]))
    diagonal = alt.Chart(pl.DataFrame({"score": [0.0, 1.0], "fakes": [0.0, 1.0]})).mark_line(
        color="grey", strokeDash=[3, 3]
    )
    points = (
        alt.Chart(rounded(rows))
        .mark_line(point=True)
        .encode(
            color=alt.Color("detector", type="nominal", sort=detectors, legend=_below()),
            tooltip=["detector", "score", "fakes", "n"],
        )
    )
    x = alt.X("score", type="quantitative", title="mean score of the bin", scale=alt.Scale(domain=[0, 1]))
    y = alt.Y(
        "fakes", type="quantitative", title="share of fakes, classes weigh the same", scale=alt.Scale(domain=[0, 1])
    )
    return alt.layer(diagonal.encode(x=x, y=y), points.encode(x=x, y=y)).properties(width=WIDE, height=320)


def spectrum(rows: pl.DataFrame) -> Chart:
    """Singular values of the captions on a log axis; those kept out of the null space are filled.

    Args:
        rows: table semantic_spectrum.

    Returns:
        The chart.
    """
    # What rounds to nothing has no place on a log axis.
    shown = rows.filter(pl.col("singular_value") >= 10**-DIGITS).with_columns(
        direction=pl.col("k") + 1, part=pl.when("retained").then(pl.lit("removed")).otherwise(pl.lit("kept"))
    )
    return (
        alt.Chart(rounded(shown.select("training_set", "direction", "singular_value", "energy", "part")))
        .mark_point(size=18, filled=True)
        .encode(
            x=alt.X("direction", type="quantitative"),
            y=alt.Y("singular_value", type="quantitative", title="singular value", scale=alt.Scale(type="log")),
            color=alt.Color("part", type="nominal", sort=["removed", "kept"], legend=_below()),
            shape=alt.Shape("training_set", type="nominal", legend=_below()),
            tooltip=["training_set", "direction", "singular_value", "energy", "part"],
        )
        .properties(width=WIDE, height=240)
    )


def map_of(rows: pl.DataFrame, colour: str) -> Chart:
    """Pictures as points: near ones have features that are alike in the two main directions.

    Args:
        rows: columns x, y, label, content, generator.
        colour: label or content.

    Returns:
        The chart.
    """
    return (
        alt.Chart(rounded(rows))
        .mark_point(filled=True, size=22, opacity=0.75)
        .encode(
            x=alt.X("x", type="quantitative", title=None, axis=None),
            y=alt.Y("y", type="quantitative", title=None, axis=None),
            color=alt.Color(colour, type="nominal", legend=_below()),
            tooltip=["label", "content", "generator"],
        )
        .properties(width=WIDE, height=260)
    )


def change(rows: pl.DataFrame, title: tuple[str, str]) -> Chart:
    """Figures of two runs against each other: on the diagonal nothing has moved.

    Args:
        rows: columns before, now, generator, detector, training_set and outside (of the interval given before).
        title: of both axes.

    Returns:
        The chart.
    """
    least = min(0.4, *rows["before"], *rows["now"])
    scale = alt.Scale(domain=[least, 1.0], nice=False)
    ends = pl.DataFrame({"before": [least, 1.0], "now": [least, 1.0]})
    x = alt.X("before", type="quantitative", title=title[0], scale=scale)
    y = alt.Y("now", type="quantitative", title=title[1], scale=scale)
    points = (
        alt.Chart(rounded(rows))
        .mark_point(size=26)
        .encode(
            x=x,
            y=y,
            color=alt.Color("outside", type="nominal", title="outside of its interval", legend=_below()),
            tooltip=["training_set", "detector", "generator", "before", "now"],
        )
    )
    diagonal = alt.Chart(ends).mark_line(color="grey", strokeDash=[3, 3]).encode(x=x, y=y)
    return alt.layer(diagonal, points).properties(width=WIDE, height=380)


def _below() -> alt.Legend:
    return alt.Legend(orient="bottom", columns=3, labelLimit=260)
