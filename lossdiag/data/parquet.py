"""Read Parquet by Arrow. A small file can unpack to a huge table, so its own figures are checked, then the result."""

from __future__ import annotations

from typing import cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lossdiag.data.columns import check_names
from lossdiag.data.limits import MAX_UNPACKED, bad, check_shape

_INDEX = "__index_level_"


def read_parquet(filename: str, content: bytes) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the table and notes.

    Raises:
        DataError: not Parquet, damaged, nested or too large.
    """
    try:
        shape = pq.ParquetFile(pa.BufferReader(content))
        texts = _check_schema(filename, shape)
        # Texts stay in their dictionaries: a long one that a million rows repeat would fill the memory.
        table = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts).read()
        _check_texts(filename, table)
        frame = table.to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise bad(filename, f"not a Parquet file, or damaged ({reason}); save or download it again") from None
    index = [name for name in frame.columns if name.startswith(_INDEX)]
    notes = ("the pandas index that the file holds was left out",) if index else ()
    return frame.drop(columns=index), notes


def _check_schema(filename: str, file: pq.ParquetFile) -> list[str]:
    """Check the figures in the footer; return the names of the text columns."""
    check_shape(filename, file.metadata.num_rows, file.metadata.num_columns)
    check_names(filename, file.schema_arrow.names)
    unpacked = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
    if unpacked > MAX_UNPACKED:
        raise bad(
            filename, f"the file unpacks to {unpacked / 1e6:,.0f} MB, at most {MAX_UNPACKED // 10**6} MB are read"
        )
    for field in file.schema_arrow:
        kind = _value_type(field.type)
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise bad(
                filename, f"holds {kind}; every cell must be a number, a text or a truth value", column=field.name
            )
    return [field.name for field in file.schema_arrow if _is_text(_value_type(field.type))]


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _check_texts(filename: str, table: pa.Table) -> None:
    total = 0
    for name in table.column_names:
        for chunk in table.column(name).chunks:
            if isinstance(chunk, pa.DictionaryArray) and _is_text(chunk.dictionary.type):
                lengths = pc.binary_length(cast(pa.StringArray, chunk.dictionary))
                total += pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0
        if total > MAX_UNPACKED:
            raise bad(filename, f"its texts unpack to more than {MAX_UNPACKED // 10**6} MB", column=name)
