"""What the catalogue says of its tables and columns, and how text is put into SQL."""

from __future__ import annotations

import inspect

import duckdb

from nsnet.core.contracts import Table


def comment(connection: duckdb.DuckDBPyConnection, table: str, text: str, columns: dict[str, str]) -> None:
    """Say in the catalogue what a table and its columns are.

    Args:
        connection: the catalogue.
        table: its name.
        text: what it is.
        columns: what each column is.
    """
    connection.execute(f"COMMENT ON TABLE {table} IS {quoted(text)}")
    for column, description in columns.items():
        connection.execute(f'COMMENT ON COLUMN {table}."{column}" IS {quoted(description)}')


def comment_contract(connection: duckdb.DuckDBPyConnection, table: str, kind: type[Table]) -> None:
    """Say what a contract says of a table.

    Args:
        connection: the catalogue, which has the table.
        table: its name.
        kind: the contract.
    """
    columns = {name: facts.description or "" for name, facts in kind.to_schema().columns.items()}
    comment(connection, table, inspect.getdoc(kind) or "", columns)


def quoted(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"
