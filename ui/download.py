"""A run as files for other tools, made when they are asked for."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeAlias

import streamlit as st

from lossdiag.spec import to_yaml
from lossdiag.store import TABLES, Recording, export_csv, export_parquet

Format: TypeAlias = Literal["csv", "parquet"]
_EXPORTS = {"csv": export_csv, "parquet": export_parquet}


def tables_zip(run: Recording, kind: Format) -> bytes:
    """Return a zip archive with every table that has rows, whole, and the experiment as YAML.

    Raises:
        StoreError: the recording cannot be read.
    """
    content = BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in TABLES:
            path = Path(folder) / f"{table}.{kind}"
            if _EXPORTS[kind](run, table, path):
                archive.write(path, path.name)
        archive.writestr("experiment.yaml", to_yaml(run.spec))
    return content.getvalue()


def download_buttons(run: Recording) -> None:
    """Draw the buttons that download the run's tables and its experiment."""
    for kind, title in (("csv", "CSV"), ("parquet", "Parquet")):
        st.download_button(
            title,
            _maker(run, "csv" if kind == "csv" else "parquet"),
            f"{run.id}-{kind}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
            help="Every row of every table, nothing thinned out, in one archive.",
        )
    st.download_button(
        "Spec",
        to_yaml(run.spec),
        f"{run.id}.yaml",
        icon=":material/download:",
        on_click="ignore",
        help="The experiment as YAML: load it on the Race page, or lossdiag run FILE.",
    )


def _maker(run: Recording, kind: Format) -> Callable[[], bytes]:
    return lambda: tables_zip(run, kind)
