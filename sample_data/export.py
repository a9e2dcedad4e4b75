"""Write the sample tables from scikit-learn's copies: python sample_data/export.py."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn import datasets

FOLDER = Path(__file__).parent


def breast_cancer() -> pd.DataFrame:
    """30 measures of a cell sample; malignant or benign."""
    data = datasets.load_breast_cancer(as_frame=True)
    names = {0: "malignant", 1: "benign"}
    return data.data.assign(diagnosis=data.target.map(names))


def wine() -> pd.DataFrame:
    """13 chemical measures of a wine; which of three cultivars it is from."""
    data = datasets.load_wine(as_frame=True)
    renamed = {name: name.replace("_", " ") for name in data.data.columns}
    renamed |= {
        "alcalinity_of_ash": "alkalinity of ash",
        "nonflavanoid_phenols": "non-flavanoid phenols",
        "od280/od315_of_diluted_wines": "OD280/OD315 of diluted wines",
    }
    return data.data.rename(columns=renamed).assign(cultivar=(data.target + 1).map("cultivar {}".format))


def iris() -> pd.DataFrame:
    """4 lengths of a flower; which of three species it is."""
    data = datasets.load_iris(as_frame=True)
    return data.data.assign(species=data.target.map(dict(enumerate(data.target_names))))


def diabetes() -> pd.DataFrame:
    """10 measures of a patient in raw units; how far the disease went in a year."""
    data = datasets.load_diabetes(as_frame=True, scaled=False)
    renamed = {
        "age": "age (years)",
        "bmi": "body mass index",
        "bp": "average blood pressure",
        "s1": "total serum cholesterol",
        "s2": "low-density lipoproteins",
        "s3": "high-density lipoproteins",
        "s4": "total cholesterol / HDL",
        "s5": "log of serum triglycerides",
        "s6": "blood sugar level",
    }
    frame = data.data.astype({"age": int, "sex": int}).rename(columns=renamed)
    return frame.assign(progression=data.target.astype(int))


def digits() -> pd.DataFrame:
    """64 pixels (0 to 16) of a handwritten digit; which digit it is."""
    data = datasets.load_digits(as_frame=True)
    renamed = {f"pixel_{r}_{c}": f"pixel row {r} column {c}" for r in range(8) for c in range(8)}
    return data.data.astype(int).rename(columns=renamed).assign(digit=data.target)


def main() -> None:
    """Write every table beside this file."""
    for make in (breast_cancer, wine, iris, diabetes, digits):
        make().to_csv(FOLDER / f"{make.__name__}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
