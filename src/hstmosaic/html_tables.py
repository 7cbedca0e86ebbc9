"""HTML tables for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def html_table(headings: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return an HTML table, or an empty text if there are no rows.

    Parameters
    ----------
    headings : sequence of str
        Headings of the columns.
    rows : iterable of sequence
        Cells of each row; they are escaped.
    caption : str
        Caption of the table.
    """
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    if not body:
        return ""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{_cells('th', headings)}</tr></thead><tbody>{body}</tbody></table>"


def _cells(tag: str, row: Sequence[object]) -> str:
    return "".join(f"<{tag} style='text-align:left'>{escape(str(cell))}</{tag}>" for cell in row)
