"""Read a table from a file or from bytes, by the ending of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

import pandas as pd

from lossdiag.data.columns import canonical
from lossdiag.data.delimited import read_delimited
from lossdiag.data.excel import read_excel
from lossdiag.data.jsonlines import read_json_lines
from lossdiag.data.limits import MAX_BYTES, bad, check_bytes, check_shape
from lossdiag.data.npz import read_npz
from lossdiag.data.parquet import read_parquet
from lossdiag.errors import DataError


@dataclass(frozen=True, slots=True)
class Table:
    """A table and what a person should know of how it was read."""

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


Reader = Callable[[str, bytes], Table]


def read_table(source: Path | bytes, filename: str | None = None) -> pd.DataFrame:
    """Return the table of a file or of its content, columns in the types of `lossdiag.data.columns`.

    Args:
        source: a path, or the whole content.
        filename: what the person calls it; its ending says the format. Needed beside content.

    Raises:
        DataError: the file cannot be used; nothing is half-read. The message names file, row and column.
    """
    if isinstance(source, Path):
        return read_file(source, filename).frame
    if filename is None:
        raise DataError("content without a file name: its ending says the format")
    return read_bytes(source, filename).frame


def read_file(path: Path, filename: str | None = None) -> Table:
    """Read the file at `path`; see `read_table`."""
    name = filename or path.name
    try:
        if not path.is_file():
            raise bad(name, f"there is no file {path}" if not path.exists() else f"{path} is not a regular file")
        check_bytes(name, path.stat().st_size)
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise bad(name, f"{path} cannot be read: {error.strerror or error}") from None
    return read_bytes(content, name)


def read_bytes(content: bytes, filename: str) -> Table:
    """Read the content of a file; see `read_table`."""
    ending = suffix(filename)
    check_bytes(filename, len(content))
    table = _READERS[ending](filename, content)
    check_shape(filename, *table.frame.shape)
    if table.frame.shape[0] == 0:
        raise bad(filename, f"there are no rows, only the columns {', '.join(map(str, table.frame.columns[:5]))}")
    na_text = ending in _NA_TEXT
    return Table(canonical(filename, table.frame, na_text=na_text), table.notes)


def suffix(filename: str) -> str:
    """Return the ending of a name in lower case; raise DataError where no table is read from such a file."""
    ending = PurePath(filename).suffix.lower()
    if ending in _READERS:
        return ending
    hint = _HINTS.get(ending, "save the table in one of those")
    raise bad(filename, f"the ending {ending!r} is not one of {', '.join(_READERS)}; {hint}")


def _csv(filename: str, content: bytes) -> Table:
    return Table(read_delimited(filename, content))


def _tsv(filename: str, content: bytes) -> Table:
    return Table(read_delimited(filename, content, "\t"))


def _parquet(filename: str, content: bytes) -> Table:
    return Table(*read_parquet(filename, content))


def _json(filename: str, content: bytes) -> Table:
    return Table(read_json_lines(filename, content))


def _excel(filename: str, content: bytes) -> Table:
    return Table(*read_excel(filename, content))


def _npz(filename: str, content: bytes) -> Table:
    return Table(read_npz(filename, content))


_READERS: Mapping[str, Reader] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".txt": _csv,
    ".parquet": _parquet,
    ".jsonl": _json,
    ".ndjson": _json,
    ".json": _json,
    ".xlsx": _excel,
    ".npz": _npz,
}
_NA_TEXT = (".csv", ".tsv", ".txt", ".xlsx")
_HINTS: Mapping[str, str] = {
    ".xls": "save the workbook as .xlsx",
    ".xlsm": "save the workbook as .xlsx, without macros",
    ".ods": "save the sheet as .xlsx or .csv",
    ".npy": "save the arrays with numpy.savez(path, x=..., y=...)",
    ".pkl": "a pickle can run code when it is read, so none is: save with to_parquet",
    ".pickle": "a pickle can run code when it is read, so none is: save with to_parquet",
    ".pt": "it may hold a pickle, which can run code, so none is read: save with numpy.savez",
    ".zip": "unpack it first",
    ".gz": "unpack it first",
}
