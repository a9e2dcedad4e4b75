"""Where the files lie that travel with the program: beside the package in a checkout, inside it once installed."""

from __future__ import annotations

from pathlib import Path

from lossdiag.errors import DataError
from lossdiag.registry import did_you_mean
from lossdiag.spec import SAMPLES


def app_root() -> Path:
    """Return the folder that holds app.py, pages and sample_data: ``lossdiag/_app`` of a wheel, else the checkout."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "_app"
    return packed if packed.is_dir() else package.parent


def sample_path(name: str) -> Path:
    """Return the CSV file of the sample `name`.

    Raises:
        DataError: there is no such sample, or its file is not where the program was installed.
    """
    if name not in SAMPLES:
        raise DataError(
            f"no sample is named {name!r}; expected one of {', '.join(SAMPLES)}.{did_you_mean(name, SAMPLES)}"
        )
    path = app_root() / "sample_data" / f"{name}.csv"
    if not path.is_file():
        raise DataError(f"sample {name!r}: {path} is missing; install lossdiag again, or use synthetic:moons")
    return path
