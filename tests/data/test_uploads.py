"""An upload is kept whole or not at all, once for the same content, and read back as it was."""

import json
from pathlib import Path

import pandas as pd
import pytest

from lossdiag.data import list_uploads, load, prepare, read_table, read_upload, save_upload, upload_info
from lossdiag.errors import DataError
from lossdiag.spec import DataSpec

CONTENT = b"x,when,y\n" + b"".join(b"%d.5,2024-01-%02d,%s\n" % (i, i % 28 + 1, b"ab"[i % 2 :][:1]) for i in range(20))


def test_an_upload_trains(tmp_path: Path) -> None:
    source = save_upload(CONTENT, "C:\\data\\mine.csv", tmp_path / "runs" / "uploads")
    assert DataSpec.UPLOAD.fullmatch(source)
    info = upload_info(source, tmp_path / "runs" / "uploads")
    assert (info.filename, info.rows, info.columns, info.source) == ("mine.csv", 20, ("x", "when", "y"), source)
    spec = DataSpec(source=source, drop=("when",))
    dataset = load(spec, tmp_path / "runs" / "uploads")
    assert (dataset.name, dataset.classes) == ("mine.csv", ("a", "b"))
    assert prepare(dataset, spec).feature_names == ("x",)
    with pytest.raises(DataError, match=r"^mine\.csv: column 'when': holds dates"):
        prepare(load(DataSpec(source=source), tmp_path / "runs" / "uploads"), spec)
    frame, _ = read_upload(source, tmp_path / "runs" / "uploads")
    pd.testing.assert_frame_equal(frame, read_table(CONTENT, "mine.csv"))


def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    first = save_upload(CONTENT, "a.csv", tmp_path)
    assert save_upload(CONTENT, "a.csv", tmp_path) == first
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".parquet"]
    assert save_upload(CONTENT.replace(b",", b"\t"), "a.tsv", tmp_path) != first
    assert {info.filename for info in list_uploads(tmp_path)} == {"a.csv", "a.tsv"}


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match=r"mine\.csv: cannot be kept in .*: No space left on device"):
        save_upload(CONTENT, "mine.csv", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be kept in"):
        save_upload(CONTENT, "mine.csv", tmp_path / "file" / "uploads")


@pytest.mark.parametrize("name", ["../../etc/passwd", "upload:../x", "0123", "upload:0123456789ABCDEF", ""])
def test_names_that_are_no_uploads(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not the name of an upload; expected upload: and 16 hexadecimal digits"):
        upload_info(name, tmp_path)


def test_what_was_not_finished_is_not_there(tmp_path: Path) -> None:
    source = save_upload(CONTENT, "mine.csv", tmp_path)
    card = tmp_path / f"{source.removeprefix('upload:')}.json"
    whole = card.read_text()
    for damaged in ("{", "[]", json.dumps({"id": 1})):
        card.write_text(damaged)
        with pytest.raises(DataError, match="is damaged; upload the file again"):
            upload_info(source, tmp_path)
    card.unlink()
    with pytest.raises(DataError, match="upload it again"):
        upload_info(source, tmp_path)
    assert list_uploads(tmp_path) == ()
    save_upload(CONTENT, "mine.csv", tmp_path)
    assert card.read_text() == whole


def test_no_uploads_yet(tmp_path: Path) -> None:
    assert list_uploads(tmp_path / "absent") == ()
