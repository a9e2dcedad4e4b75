"""Read NPZ: arrays of one length, 1-D as columns, 2-D as a column per second index. Never a pickle."""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from numpy.typing import NDArray

from lossdiag.data.columns import check_names
from lossdiag.data.limits import bad, check_shape, check_zip

_TARGETS = ("y", "Y", "target", "targets", "label", "labels")


def read_npz(filename: str, content: bytes) -> pd.DataFrame:
    """Return the table: the columns of a 2-D array ``x`` are x1, x2 ...; arrays named as a target come last.

    Raises:
        DataError: not NPZ, damaged, too large, or an array is a pickle, has more than two axes or another length.
    """
    check_zip(filename, content, "an NPZ file (numpy.savez)")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        shapes = {key: _shape(filename, archive, key, entry) for key, entry in entries.items()}
        _check_lengths(filename, shapes)
        rows = next(iter(shapes.values()))[0]
        check_shape(filename, rows, sum(math.prod(shape[1:]) for shape in shapes.values()))
        columns = [
            column
            for key in sorted(entries, key=lambda key: key in _TARGETS)
            for column in _columns(key, _array(archive, entries[key]))
        ]
    names = check_names(filename, [name for name, _ in columns])
    return pd.DataFrame({name: values for name, (_, values) in zip(names, columns, strict=True)})


def _shape(filename: str, archive: zipfile.ZipFile, key: str, entry: zipfile.ZipInfo) -> tuple[int, ...]:
    """Return an array's shape from its header, having checked that the bytes behind it are as many as it says."""
    with archive.open(entry) as stream:
        try:
            version = npy.read_magic(stream)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(stream)
        except ValueError as error:
            raise bad(
                filename, f"array {key!r} is damaged ({str(error).splitlines()[0][:120]}); save it again"
            ) from None
        size = entry.file_size - stream.tell()
    if dtype.hasobject:
        raise bad(
            filename,
            f"array {key!r} holds Python objects (a pickle), never read as it can run code; save numbers or texts",
        )
    if dtype.kind not in "biufUSM":
        raise bad(filename, f"array {key!r} has the type {dtype}; expected numbers, texts or truth values")
    if math.prod(shape) * dtype.itemsize != size:
        raise bad(filename, f"array {key!r} is damaged: {size:,} bytes for the shape {shape}; save it again")
    if len(shape) not in (1, 2):
        raise bad(filename, f"array {key!r} has {len(shape)} axes, expected [rows] or [rows, columns]; reshape it")
    return shape


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    # Not numpy.load: what it takes for no archive, it takes for a pickle.
    with archive.open(entry) as stream:
        return npy.read_array(stream, allow_pickle=False)


def _check_lengths(filename: str, shapes: dict[str, tuple[int, ...]]) -> None:
    if not shapes:
        raise bad(filename, "the file holds no arrays")
    if len({shape[0] for shape in shapes.values()}) > 1:
        said = ", ".join(f"{key} {shape[0]}" for key, shape in list(shapes.items())[:6])
        raise bad(filename, f"the arrays differ in their number of rows ({said}); save arrays of one length")


def _columns(key: str, array: NDArray[Any]) -> list[tuple[str, NDArray[Any]]]:
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.ndim == 1:
        return [(key, array)]
    return [(f"{key}{i + 1}", array[:, i]) for i in range(array.shape[1])]
