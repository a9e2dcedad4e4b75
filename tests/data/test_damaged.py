"""A file damaged anywhere is read or refused in one line; nothing else ever escapes."""

import io
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.data import load, prepare, read_table, save_upload
from lossdiag.errors import DataError
from lossdiag.spec import DataSpec

FRAME = pd.DataFrame({"a": range(12), "b": np.linspace(0, 1, 12), "t": ["x", "y"] * 6, "m": [None, 1.5] * 6})


def _excel() -> bytes:
    stream = io.BytesIO()
    FRAME.to_excel(stream, index=False)
    return stream.getvalue()


def _npz() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=FRAME[["a", "b"]].to_numpy(), y=np.arange(12) % 2)
    return stream.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "t.csv": lambda: FRAME.to_csv(index=False).encode(),
    "european.csv": lambda: FRAME.to_csv(index=False, sep=";", decimal=",").encode(),
    "t.jsonl": lambda: FRAME.to_json(orient="records", lines=True).encode(),
    "t.parquet": lambda: FRAME.to_parquet(index=False),
    "t.xlsx": _excel,
    "t.npz": _npz,
}
PIECES = st.sampled_from(
    [b"", b"\0", b"\xff", b",", b";", b'"', b"\n", b"\r", b"{", b"[", b"1e999", b"-", b"nan", b"\xe9"]
)


@pytest.mark.parametrize("filename", FILES)
def test_damage_is_read_or_refused(filename: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = FILES[filename]()
    refusals: list[str] = []

    @given(st.lists(st.tuples(st.integers(0, len(whole)), st.integers(0, 4), PIECES), min_size=1, max_size=3))
    @settings(derandomize=True, deadline=None, max_examples=150)
    def check(damage: list[tuple[int, int, bytes]]) -> None:
        content = whole
        for at, cut, put in damage:
            content = content[:at] + put + content[at + cut :]
        try:
            read_table(content, filename)
            uploads = tmp_path_factory.mktemp("uploads")
            spec = DataSpec(source=save_upload(content, filename, uploads))
            done = prepare(load(spec, uploads), spec)
        except DataError as error:
            refusals.append(str(error))
            return
        for array in (done.x_train, done.x_val, done.y_train.astype(float), done.y_val.astype(float)):
            assert np.isfinite(array).all()

    check()
    assert refusals
    assert not any("\n" in refusal for refusal in refusals)
