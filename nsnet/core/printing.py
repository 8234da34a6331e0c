"""Rows as text: Markdown for reading, CSV for machines. Neither lets a name break out of its cell."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

DIGITS, CSV_DIGITS = 3, 6
# A spreadsheet takes text that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t")


def markdown_table(frame: pl.DataFrame) -> str:
    """A Markdown table: numbers right-aligned, floats to three digits."""
    align = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    lines = [[_escaped(name) for name in frame.columns], align]
    lines += [[_escaped(shown(value)) for value in row] for row in frame.iter_rows()]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def csv_text(frame: pl.DataFrame, digits: int | None = CSV_DIGITS) -> str:
    """CSV in which no text is a formula to a spreadsheet or holds a control character.

    Args:
        frame: what to write.
        digits: that floats are rounded to; all of them if None.

    Returns:
        The text, with a line of column names.
    """
    columns = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if dtype.is_float() and digits is not None:
            column = column.round(digits)
            column = pl.when(column == 0).then(0.0).otherwise(column)  # no negative zero
        elif dtype == pl.String:
            column = column.map_elements(lambda text: printable(text, "\n\t"), return_dtype=pl.String)
            starts = pl.any_horizontal(column.str.starts_with(sign) for sign in FORMULA)
            column = pl.when(starts).then(pl.lit("'") + column).otherwise(column)
        columns.append(column.alias(name))
    return frame.select(columns).write_csv()


def latex_table(frame: pl.DataFrame) -> str:
    r"""A LaTeX table in the style of booktabs: numbers right-aligned, floats to three digits.

    Args:
        frame: what to write.

    Returns:
        A tabular environment; \usepackage{booktabs} is needed.
    """
    align = "".join("r" if dtype.is_numeric() else "l" for dtype in frame.dtypes)
    lines = [[_latex(name.replace("_", " ")) for name in frame.columns]]
    lines += [[_latex(shown(value)) for value in row] for row in frame.iter_rows()]
    head, *rest = (" & ".join(line) + r" \\" for line in lines)
    return "\n".join(
        [rf"\begin{{tabular}}{{{align}}}", r"\toprule", head, r"\midrule", *rest, r"\bottomrule", r"\end{tabular}", ""]
    )


def _latex(text: str) -> str:
    special = {sign: f"\\{sign}" for sign in "&%$#_{}"}
    special |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(sign, sign) for sign in shown(text))


def printable(text: str, kept: str = "") -> str:
    r"""Text whose control and other unprintable characters are written out, as \x1b.

    Args:
        text: any.
        kept: unprintable characters that stay.

    Returns:
        The text itself where it has none.
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in kept else f"\\x{ord(sign):02x}" for sign in text)


def span(values: Iterable[int]) -> str:
    """Counts in words: the one there is, or the least and the most.

    Args:
        values: of one thing.

    Returns:
        Such as 500, or 80 to 500; no where there are none.
    """
    counts = sorted(set(values))
    return " to ".join(dict.fromkeys([f"{counts[0]}", f"{counts[-1]}"])) if counts else "no"


def shown(value: object) -> str:
    """A value for reading: nothing for None, yes or no, floats to three digits, text in one line.

    Args:
        value: of a table.

    Returns:
        Text without control characters.
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.{DIGITS}f}"
        case _:
            return printable(" ".join(str(value).split()))


def _escaped(text: str) -> str:
    """Text that stays in its cell: no line ends or other control characters, no bars."""
    return shown(text).replace("|", "\\|")
