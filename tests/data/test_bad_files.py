"""Every bad file gets one clear message that names the file, and the row and the column where there is one."""

import io
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lossdiag.data import limits, read_table, save_upload, upload_info
from lossdiag.errors import DataError


def _npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _workbook(*rows: tuple[object, ...], column: str = "A") -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if column != "A":
        book.active[f"{column}1"] = "far"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _parquet(**columns: object) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def _zip(name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


GOOD_XLSX = _workbook(("a", "b"), (1, 2))
GOOD_PARQUET = _parquet(a=list(range(50)), b=list(range(50)))
GOOD_NPZ = _npz(x=np.zeros((4, 2)), y=np.arange(4))

BAD: dict[str, tuple[str, bytes, str]] = {
    "empty": ("e.csv", b"", r"e\.csv: the file is empty \(0 bytes\)"),
    "white space": ("e.csv", b" \n\n", r"e\.csv: the file is empty: it holds white space only"),
    "header only": ("h.csv", b"a,b\n", r"h\.csv: there are no rows below the header \(a, b\)"),
    "no header": ("n.csv", b"5.1,3.5\n4.9,3.0\n", r"n\.csv: the first row \(5\.1, 3\.5\) holds numbers"),
    "latin-1": ("l.csv", "a,b\n1,é\n".encode("latin-1"), r"l\.csv: not UTF-8: byte 0xe9 at offset 6 \(line 2\)"),
    "binary": ("b.csv", b"PK\x03\x04\0\0", r"b\.csv: holds binary data \(byte 4 is 0\)"),
    "too long row": ("r.csv", b"a,b\n1,2\n1,2,3\n", r"r\.csv: line 3 has 3 fields, expected 2"),
    "too short row": ("r.csv", b"a,b,c\n1,2,3\n\n1,2\n", r"r\.csv: line 4 has 2 fields, expected 3"),
    "open quote": ("q.csv", b'a,b\n"1,2\n', r"q\.csv: line \d: .*check the quotes"),
    "same names": ("d.csv", b"a,b,a\n1,2,3\n", r"d\.csv: the name 'a' is used by columns 1 and 3"),
    "no name": ("u.csv", b",a,b\n0,1,2\n", r"u\.csv: column 1 of 3 has no name .*index=False"),
    "million columns": ("m.csv", b"c," * 999_999 + b"c\n1\n", r"m\.csv: 1,000,000 columns, at most 2,000"),
    "pickle": ("p.pkl", pickle.dumps([1]), r"p\.pkl: the ending '\.pkl' is not one of .*a pickle can run code"),
    "no ending": ("p", b"a,b\n1,2\n", r"p: the ending '' is not one of \.csv"),
    "json": ("j.jsonl", b'{"a": 1}\n{"a": }\n', r"j\.jsonl: line 2, character 7: not JSON"),
    "json list": ("j.json", b'[{"a": 1}]', r"j\.json: holds one JSON list, .*lines=True"),
    "json number": ("j.jsonl", b'{"a": 1}\n5\n', r"j\.jsonl: line 2: expected an object .*, got a int"),
    "json nested": ("j.jsonl", b'{"a": 1}\n{"a": [1, 2]}\n', r"j\.jsonl: column 'a', data row 2: holds a list"),
    "json deep": ("j.jsonl", b'{"a": ' + b"[" * 100_000, r"j\.jsonl: line 1: too deeply nested"),
    "json twice": ("j.jsonl", b'{"a": 1, "b": 1, "a": 2}', r"j\.jsonl: line 1 gives 'a' twice"),
    "json long line": ("j.jsonl", b'{"a": "' + b"x" * 1_000_001 + b'"}', r"j\.jsonl: line 1 has 1,000,010 characters"),
    "json digits": ("j.jsonl", b'{"a": ' + b"1" * 5000 + b"}", r"j\.jsonl: line 1: .*too many digits"),
    "json columns": ("j.jsonl", b"\n".join(b'{"c%d": 1}' % i for i in range(2001)), r"j\.jsonl: 2,001 columns"),
    "json no name": ("j.jsonl", b'{"": 1}', r"j\.jsonl: column 1 of 1 has no name"),
    "json empty object": ("j.jsonl", b"{}", r"j\.jsonl: there are no rows"),
    "not a workbook": ("x.xlsx", b"a,b\n1,2\n", r"x\.xlsx: not an Excel workbook"),
    "cut workbook": ("x.xlsx", GOOD_XLSX[:-200], r"x\.xlsx: not an Excel workbook"),
    "changed workbook": ("x.xlsx", GOOD_XLSX[:600] + b"\xff" * 40 + GOOD_XLSX[640:], r"x\.xlsx: .*damaged"),
    "other zip": ("x.xlsx", _zip("a.txt", b"x"), r"x\.xlsx: not an Excel workbook"),
    "empty sheet": ("x.xlsx", _workbook(), r"x\.xlsx: the first sheet is empty"),
    "sheet header only": ("x.xlsx", _workbook(("a", "b")), r"x\.xlsx: there are no rows"),
    "sheet row": ("x.xlsx", _workbook(("a",), (1,), (1, 2)), r"x\.xlsx: data row 2: 2 cells, expected 1"),
    "sheet wide": ("x.xlsx", _workbook(("a",), (1,), column="XFD"), r"x\.xlsx: 16,384 columns, at most 2,000"),
    "sheet no name": ("x.xlsx", _workbook(("a", None, "b"), (1, 2, 3)), r"x\.xlsx: column 2 of 3 has no name"),
    "not parquet": ("p.parquet", b"a,b\n1,2\n", r"p\.parquet: not a Parquet file, or damaged"),
    "cut parquet": ("p.parquet", GOOD_PARQUET[:-20], r"p\.parquet: not a Parquet file, or damaged"),
    "changed parquet": ("p.parquet", GOOD_PARQUET[:8] + b"\xff" * 60 + GOOD_PARQUET[68:], r"p\.parquet: .*damaged"),
    "nested parquet": ("p.parquet", _parquet(a=[[1], [2]]), r"p\.parquet: column 'a': holds list"),
    "bytes in parquet": ("p.parquet", _parquet(a=[b"1"]), r"p\.parquet: column 'a': holds binary"),
    "no rows in parquet": ("p.parquet", _parquet(a=pa.array([], pa.int64())), r"p\.parquet: there are no rows"),
    "not npz": ("n.npz", b"xyz", r"n\.npz: not an NPZ file"),
    "cut npz": ("n.npz", GOOD_NPZ[:-30], r"n\.npz: not an NPZ file"),
    "pickle in npz": ("n.npz", _npz(x=np.array([{"a": 1}, None])), r"n\.npz: array 'x' holds .*\(a pickle\)"),
    "complex npz": ("n.npz", _npz(x=np.array([1j])), r"n\.npz: array 'x' has the type complex128"),
    "image npz": ("n.npz", _npz(x=np.zeros((2, 3, 3))), r"n\.npz: array 'x' has 3 axes"),
    "scalar npz": ("n.npz", _npz(x=np.float64(1)), r"n\.npz: array 'x' has 0 axes"),
    "uneven npz": ("n.npz", _npz(x=np.zeros((3, 2)), y=np.zeros(4)), r"n\.npz: the arrays differ in .*x 3, y 4"),
    "empty npz": ("n.npz", _npz(), r"n\.npz: the file holds no arrays"),
    "bzip2": ("n.npz", _zip("x.npy", b"0" * 999, zipfile.ZIP_BZIP2), r"n\.npz: entry 'x\.npy' uses an unusual"),
    "text for npy": ("n.npz", _zip("x.npy", b"hello, world"), r"n\.npz: array 'x' is damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file(case: str, tmp_path: Path) -> None:
    filename, content, said = BAD[case]
    with pytest.raises(DataError, match=f"^{said}") as caught:
        save_upload(content, filename, tmp_path / "uploads")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "uploads").exists(), "something was left behind"


def _npy_header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _lying_zip(declared: int) -> bytes:
    """A zip whose one entry unpacks to 60 MB and says that it unpacks to `declared` bytes."""
    content = bytearray(_zip("x.npy", b"\0" * 60_000_000))
    true = (60_000_000).to_bytes(4, "little")
    while (at := content.find(true)) >= 0:
        content[at : at + 4] = declared.to_bytes(4, "little")
    return bytes(content)


def _repeated(value: object, rows: int) -> pa.Array:
    """A column that holds `value` in every row and takes few bytes."""
    return pa.DictionaryArray.from_arrays(np.zeros(rows, "int8"), [value])


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zeros": (
        "z.npz",
        lambda: _zip("x.npy", b"\0" * 60_000_000),
        r"z\.npz: the file unpacks to 60 MB or more \(.* times its size\)",
    ),
    "declared size": ("z.xlsx", lambda: _lying_zip(4_000_000_000), r"z\.xlsx: the file unpacks to 4,000 MB"),
    "lie": ("z.xlsx", lambda: _lying_zip(1000), r"z\.xlsx: not an Excel workbook .*damaged"),
    "shape": ("z.npz", lambda: _zip("x.npy", _npy_header((10**12, 1))), r"z\.npz: array 'x' is damaged: 0 bytes"),
    "run lengths": (
        "z.parquet",
        lambda: _parquet(**{f"c{i}": _repeated(1, 1_000_000) for i in range(51)}),
        r"z\.parquet: 1,000,000 rows x 51 columns are 51,000,000 cells",
    ),
    "long text": (
        "z.parquet",
        lambda: _parquet(c=_repeated("x" * 2000, 900_000)),
        r"z\.parquet: column 'c': its texts unpack to more than 500 MB",
    ),
}


@pytest.mark.parametrize("case", BOMBS)
def test_bomb_is_refused_without_unpacking_it(case: str) -> None:
    filename, make, said = BOMBS[case]
    content = make()
    arrow = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=f"^{said}"):
            read_table(content, filename)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000, f"{peak / 1e6:.0f} MB were used to refuse it"
    assert pa.total_allocated_bytes() - arrow < 20_000_000


def test_200_mb_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    with path.open("wb") as stream:
        stream.truncate(200_000_000)  # sparse: takes no room
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"^big\.csv: the file has 200 MB, at most 100 MB are read"):
            read_table(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("filename", "content"),
    [("t.csv", b"a\n" + b"1\n" * 12), ("t.jsonl", b'{"a": 1}\n' * 12), ("t.xlsx", _workbook(("a",), *[(1,)] * 12))],
)
def test_row_cap_ends_the_reading(filename: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("limits", "delimited", "jsonlines", "excel"):
        monkeypatch.setattr(f"lossdiag.data.{module}.MAX_ROWS", 10)
    with pytest.raises(DataError, match="more than 10 rows"):
        read_table(content, filename)


def test_cells_are_capped() -> None:
    with pytest.raises(DataError, match=r"t: 100,000 rows x 600 columns are 60,000,000 cells"):
        limits.check_shape("t", 100_000, 600)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_plain_texts_of_parquet_are_capped(kind: pa.DataType, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _parquet(c=pa.array(["x" * 2000] * 1000, kind))
    assert len(content) < 20_000
    assert read_table(content, "t.parquet")["c"].str.len().sum() == 2_000_000
    monkeypatch.setattr("lossdiag.data.parquet.MAX_UNPACKED", 1_000_000)
    with pytest.raises(DataError, match="column 'c': its texts unpack to more than 1 MB"):
        read_table(content, "t.parquet")


def test_encrypted_workbook() -> None:
    content = bytearray(GOOD_XLSX)
    at = content.find(b"PK\x01\x02")
    content[at + 8] |= 1
    with pytest.raises(DataError, match="protected by a password"):
        read_table(bytes(content), "t.xlsx")


def test_many_empty_rows() -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A20000"] = "a", 1
    stream = io.BytesIO()
    book.save(stream)
    with pytest.raises(DataError, match="more than 10,000 empty rows"):
        read_table(stream.getvalue(), "t.xlsx")


def test_second_sheet_is_named(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with pd.ExcelWriter(stream) as writer:
        for name in ("data", "notes"):
            pd.DataFrame({"a": [1], "b": [2]}).to_excel(writer, sheet_name=name, index=False)
    info = upload_info(save_upload(stream.getvalue(), "t.xlsx", tmp_path), tmp_path)
    assert info.notes == ("read the first of 2 sheets, 'data'; not read: notes",)
