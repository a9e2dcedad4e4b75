"""The same table comes back the same from every format, whoever wrote it."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.data import read_table
from lossdiag.errors import DataError

numbers = st.floats(-1e300, 1e300) | st.none()
integers = st.integers(-(2**53), 2**53)
# Texts that no reader takes for a number, a date, a truth value or a missing one.
texts = st.text("abcxyz ,;|\t\"'é→", min_size=1, max_size=8).map(lambda t: f"t{t}e") | st.none()


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 6))

    def column(of: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(of, min_size=rows, max_size=rows))

    real = [np.nan if v is None else float(v) for v in column(numbers)]
    word = pd.Series(column(texts), dtype="str")
    whole = [draw(integers) for _ in range(rows)]
    return pd.DataFrame({"real": real, "whole": whole, "truth": column(st.booleans()), "text": word})


def _csv(frame: pd.DataFrame, sep: str = ",", decimal: str = ".") -> bytes:
    return frame.to_csv(index=False, sep=sep, decimal=decimal).encode()


def _json_lines(frame: pd.DataFrame) -> bytes:
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return "\n".join(json.dumps(record) for record in records).encode()


def _excel(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_excel(stream, index=False)
    return stream.getvalue()


def _npz(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **{name: frame[name].to_numpy() for name in frame.columns})
    return stream.getvalue()


@given(tables())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_every_format_gives_the_same_frame(frame: pd.DataFrame) -> None:
    expected = read_table(frame.to_parquet(index=False), "t.parquet")
    assert expected["truth"].dtype == bool
    assert np.array_equal(expected["real"].to_numpy(dtype=float), frame["real"].to_numpy(), equal_nan=True)
    assert expected["whole"].tolist() == frame["whole"].tolist()
    written = {
        "t.csv": _csv(frame),
        "t.tsv": _csv(frame, "\t"),
        "semicolon.csv": _csv(frame, ";"),
        "european.csv": _csv(frame, ";", ","),
        "t.txt": _csv(frame, "|"),
        "t.jsonl": _json_lines(frame),
        "t.xlsx": _excel(frame),
        "again.parquet": expected.to_parquet(index=False),
    }
    for filename, content in written.items():
        # A workbook is written with 16 digits; every other format gives back every bit.
        close = {"check_exact": False, "rtol": 1e-14} if filename == "t.xlsx" else {"check_exact": True}
        pd.testing.assert_frame_equal(read_table(content, filename), expected, obj=filename, **close)
    plain = frame[["real", "whole", "truth"]]
    pd.testing.assert_frame_equal(read_table(_npz(plain), "t.npz"), expected[["real", "whole", "truth"]])


def test_missing_whole_and_truth_values_keep_their_kind() -> None:
    frame = pd.DataFrame({"n": [1, None, 3], "b": [True, None, False], "c": ["p", "r", "q"]})
    from_csv = read_table(_csv(frame), "t.csv")
    assert list(map(str, from_csv.dtypes)) == ["float64", "boolean", "str"]
    for content, filename in ((_json_lines(frame), "t.jsonl"), (_excel(frame), "t.xlsx")):
        pd.testing.assert_frame_equal(read_table(content, filename), from_csv)
    pd.testing.assert_frame_equal(read_table(from_csv.to_parquet(index=False), "t.parquet"), from_csv)


def test_byte_order_marks_and_line_ends() -> None:
    text = "größe,y\r\n1,a\r\n\r\n2,b\r\n"
    expected = pd.DataFrame({"größe": [1, 2], "y": pd.Series(["a", "b"], dtype="str")})
    for content in (text.encode("utf-8-sig"), text.encode("utf-16"), text.replace("\r\n", "\r").encode()):
        pd.testing.assert_frame_equal(read_table(content, "t.csv"), expected)


def test_a_lone_carriage_return_ends_a_line() -> None:
    frame = read_table(b"a,b\n\r,0.5\n1,2\n", "t.csv")
    assert frame["b"].tolist() == [0.5, 2.0]
    assert np.isnan(frame["a"][0])


def test_quoted_line_ends_and_delimiters_belong_to_the_cell() -> None:
    frame = read_table(b'a,b\n"x, ""y""\nz",1\nw,2\n', "t.csv")
    assert frame["a"].tolist() == ['x, "y"\nz', "w"]


def test_numbers_beyond_the_range_of_int64() -> None:
    frame = read_table(b"a,b\n123456789012345678901234567890,18446744073709551615\n1,2\n", "t.csv")
    assert frame["a"].tolist() == [123456789012345678901234567890.0, 1.0]
    assert frame["b"].tolist() == [18446744073709551615.0, 2.0]
    assert np.isinf(read_table(b'{"a": 1' + b"0" * 400 + b', "b": 1}', "t.jsonl")["a"][0])


def test_npz_names_its_columns_and_puts_the_target_last() -> None:
    stream = io.BytesIO()
    np.savez(stream, y=np.array(["a", "b", "a"]), X=np.arange(6).reshape(3, 2), z=np.array([b"p", b"q", b"r"]))
    frame = read_table(stream.getvalue(), "t.npz")
    assert list(frame.columns) == ["X1", "X2", "z", "y"]
    assert frame["z"].tolist() == ["p", "q", "r"]


def test_json_lines_fills_absent_keys() -> None:
    frame = read_table(b'{"a": 1}\n\n{"b": 2.5, "a": 3}\n{"b": null, "c": "x\xe2\x80\xa8y"}\n', "t.ndjson")
    assert frame["a"].tolist()[:2] == [1, 3]
    assert frame.isna().to_numpy().tolist() == [[False, True, True], [False, False, True], [True, True, False]]


def test_parquet_leaves_the_pandas_index_out() -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["p", "q"]))
    assert list(read_table(frame.to_parquet(), "t.parquet").columns) == ["a"]


def test_a_file_is_read_by_its_path(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n")
    assert read_table(path).shape == (1, 2)
    with pytest.raises(DataError, match="no file"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="not a regular file"):
        read_table(tmp_path)
    with pytest.raises(DataError, match="without a file name"):
        read_table(b"a,b\n1,2\n")
