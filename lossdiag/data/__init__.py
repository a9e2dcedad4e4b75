"""Data sets: samples, files, uploads and synthetic generators, made into the arrays that training takes. No torch."""

from lossdiag.data.catalog import Entry, catalog
from lossdiag.data.dataset import Corruption, Dataset, Split
from lossdiag.data.encode import Encoder
from lossdiag.data.grid import Grid, boundary_grid
from lossdiag.data.load import load, load_table
from lossdiag.data.location import app_root, sample_path
from lossdiag.data.prepared import Prepared, prepare
from lossdiag.data.summary import class_balance, suggest_target, summary
from lossdiag.data.tables import read_table
from lossdiag.data.uploads import UploadInfo, list_uploads, read_upload, save_upload, upload_info

__all__ = [
    "Corruption",
    "Dataset",
    "Encoder",
    "Entry",
    "Grid",
    "Prepared",
    "Split",
    "UploadInfo",
    "app_root",
    "boundary_grid",
    "catalog",
    "class_balance",
    "list_uploads",
    "load",
    "load_table",
    "prepare",
    "read_table",
    "read_upload",
    "sample_path",
    "save_upload",
    "suggest_target",
    "summary",
    "upload_info",
]
