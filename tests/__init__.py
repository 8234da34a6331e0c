"""Tests. `checked` checks array types at run time in them (pytest's option --jaxtyping-packages names it)."""

from beartype import BeartypeConf, beartype

# The numeric tower: an int is a float, as type checkers have it.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
