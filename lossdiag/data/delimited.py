"""Read CSV and TSV: encoding, delimiter and decimal comma found out, every record's length checked."""

from __future__ import annotations

import codecs
import csv
import io
import re

import pandas as pd

from lossdiag.data.columns import NA_TEXT, check_names
from lossdiag.data.limits import MAX_COLUMNS, MAX_ROWS, bad, check_shape

_DELIMITERS = ",;\t|"
_SAMPLE = 65_536
_COMMA_DECIMAL = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")


def decode(filename: str, content: bytes) -> str:
    """Return the text of a UTF-8 file (with or without byte order mark) or of a UTF-16 file with one.

    Raises:
        DataError: other encodings, with the byte and the line; binary files; files without any text.
    """
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not utf16 and b"\0" in content:
        raise bad(filename, f"holds binary data (byte {content.index(0)} is 0), expected text; is the ending right?")
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise bad(
            filename,
            f"not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start} (line {line}); "
            "save the file again with the encoding UTF-8",
        ) from None
    if not text.strip():
        raise bad(filename, "the file is empty: it holds white space only")
    return text


def read_delimited(filename: str, content: bytes, delimiter: str | None = None) -> pd.DataFrame:
    """Return the table of a CSV or TSV file, columns as pandas infers them.

    Args:
        filename: name for messages.
        content: the whole file.
        delimiter: the one to use; None finds out which of ``, ; tab |`` it is.

    Raises:
        DataError: the first thing that is wrong, with its line.
    """
    # One line end for both parsers below, which take a lone carriage return differently.
    text = decode(filename, content).replace("\r\n", "\n").replace("\r", "\n")
    delimiter = delimiter or _sniff(text)
    start = len(text) - len(text.lstrip("\n"))
    end = text.find("\n", start)
    across = text.count(delimiter, start, end if end >= 0 else len(text)) + 1
    if across > MAX_COLUMNS:
        check_shape(filename, 0, across)
    header, rows, comma = _scan(filename, text, delimiter)
    frame = pd.read_csv(
        io.StringIO(text),
        sep=delimiter,
        names=header,
        header=0,
        index_col=False,
        skipinitialspace=True,
        keep_default_na=False,
        na_values=list(NA_TEXT),
        decimal="," if comma else ".",
        low_memory=False,
    )
    if len(frame) != rows:
        raise bad(filename, f"{rows} records were counted but {len(frame)} read; check quotes and blank lines")
    return frame


def _sniff(text: str) -> str:
    """Return the delimiter that cuts the first lines into the same number of fields, as many as can be."""
    lines = text[:_SAMPLE].lstrip("\n").split("\n")[:50]
    lines = lines[:-1] if len(lines) > 1 else lines  # the last may be cut off

    def score(delimiter: str) -> tuple[bool, float, int]:
        try:
            widths = [len(record) for record in csv.reader(lines, delimiter=delimiter) if record]
        except csv.Error:
            return False, 0.0, 0
        across = widths[0] if widths else 0
        return across > 1, widths.count(across) / max(len(widths), 1), across

    return max(_DELIMITERS, key=score)


def _scan(filename: str, text: str, delimiter: str) -> tuple[list[str], int, bool]:
    """Walk all records; return the header, the number of rows and whether numbers have a decimal comma."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    header: list[str] = []
    rows, comma = 0, False
    try:
        for record in reader:
            if not record or record == [""]:
                continue
            if not header:
                header = check_names(filename, record)
                _check_not_data(filename, header)
                continue
            rows += 1
            if len(record) != len(header):
                raise bad(
                    filename,
                    f"line {reader.line_num} has {len(record)} fields, expected {len(header)} as in the first row; "
                    "quote texts that hold the delimiter, and fill or remove the line",
                )
            if rows > MAX_ROWS:
                check_shape(filename, rows, len(header))
            if delimiter == ";" and not comma and rows <= 1000:
                comma = any(_COMMA_DECIMAL.fullmatch(field) for field in record)
    except csv.Error as error:
        raise bad(filename, f"line {reader.line_num}: {error}; check the quotes there") from None
    if not rows:
        raise bad(filename, f"there are no rows below the header ({', '.join(header[:5])})")
    check_shape(filename, rows, len(header))
    return header, rows, comma


def _check_not_data(filename: str, header: list[str]) -> None:
    """Raise DataError where the first row holds numbers, so that a row of data would be lost as a header."""
    try:
        values = [float(name) for name in header]
    except ValueError:
        return
    if any(b - a != 1 for a, b in zip(values, values[1:], strict=False)) or not values[0].is_integer():
        raise bad(filename, f"the first row ({', '.join(header[:5])}) holds numbers, expected the names of the columns")
