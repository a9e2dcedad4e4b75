"""What a file may be at most, checked before it is read, and the one form of a message about a file."""

from __future__ import annotations

import io
import zipfile
import zlib

from lossdiag.errors import DataError

MAX_BYTES = 100_000_000
MAX_UNPACKED = 500_000_000
MAX_RATIO = 200
MAX_ROWS = 1_000_000
MAX_COLUMNS = 2_000
MAX_CELLS = 50_000_000
MAX_CLASSES = 200
MAX_LEVELS = 20

_CHUNK = 1 << 20
# Below this a high ratio is a small file of zeros, not a bomb.
_RATIO_FROM = 50_000_000


def bad(filename: str, problem: str, *, column: object = None, row: int | None = None) -> DataError:
    """Return the error for a table.

    Args:
        filename: the name that the person knows the file by.
        problem: what came, what was expected, what to do.
        column: name of the column, where one is at fault.
        row: 0-based position among the data rows; the message counts from 1 and without the header.
    """
    where = [] if column is None else [f"column {str(column)!r}"]
    where += [] if row is None else [f"data row {row + 1}"]
    return DataError(f"{filename}: {', '.join(where)}: {problem}" if where else f"{filename}: {problem}")


def check_bytes(filename: str, size: int) -> None:
    """Raise DataError for a file that is empty or larger than 100 MB."""
    if size == 0:
        raise bad(filename, "the file is empty (0 bytes)")
    if size > MAX_BYTES:
        raise bad(
            filename,
            f"the file has {size / 1e6:,.0f} MB, at most {MAX_BYTES // 10**6} MB are read; "
            "keep fewer rows or columns, or save it as Parquet",
        )


def check_shape(filename: str, rows: int, columns: int) -> None:
    """Raise DataError for a table with too many rows, columns or cells."""
    if columns > MAX_COLUMNS:
        raise bad(filename, f"{columns:,} columns, at most {MAX_COLUMNS:,} are read; keep those that matter")
    if rows > MAX_ROWS:
        raise bad(filename, f"more than {MAX_ROWS:,} rows; keep a random part of them")
    if rows * columns > MAX_CELLS:
        raise bad(
            filename,
            f"{rows:,} rows x {columns:,} columns are {rows * columns:,} cells, at most {MAX_CELLS:,} are read; "
            "keep fewer rows or columns",
        )


def check_zip(filename: str, content: bytes, what: str) -> None:
    """Unpack a zip-based file once, keeping nothing, and refuse it before it can fill the memory.

    The sizes that the archive declares are checked first; then every entry is really unpacked in pieces and counted,
    so an archive that lies about its sizes is refused as well.

    Args:
        filename: name for messages.
        content: the whole file.
        what: what the file should be, such as ``an Excel workbook``.

    Raises:
        DataError: not a zip archive, damaged, encrypted, or larger than 500 MB (or 200 times its size) unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_unpacked(filename, sum(entry.file_size for entry in entries), len(content))
            total = 0
            for entry in entries:
                if entry.flag_bits & 1:
                    raise bad(filename, "the file is protected by a password; save it without one")
                # The other methods unpack in steps of unbounded size.
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise bad(filename, f"entry {entry.filename!r} uses an unusual compression; save the file again")
                with archive.open(entry) as stream:
                    while piece := stream.read(_CHUNK):
                        total += len(piece)
                        _check_unpacked(filename, total, len(content))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
        raise bad(filename, f"not {what}, or damaged ({_first_line(error)}); save or download it again") from None


def _check_unpacked(filename: str, unpacked: int, packed: int) -> None:
    if unpacked > MAX_UNPACKED or (unpacked > _RATIO_FROM and unpacked > MAX_RATIO * packed):
        raise bad(
            filename,
            f"the file unpacks to {unpacked / 1e6:,.0f} MB or more ({unpacked / max(packed, 1):,.0f} times its size); "
            f"at most {MAX_UNPACKED // 10**6} MB and {MAX_RATIO} times are read",
        )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]
