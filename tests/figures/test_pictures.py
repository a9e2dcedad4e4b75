import numpy as np
import pyarrow as pa
import pytest

from lossdiag.errors import StoreError
from lossdiag.figures import Points, boundary_over_time, confusions, fits, note, pictured, predictions

SPEC = {"losses": ["mse", "mae"], "seeds": 2, "data": {"source": "synthetic:sine"}}
AXES = {"axes": ["a", "b"], "across": [0.0, 1.0, 2.0], "up": [5.0, 6.0], "output": "value"}
FACTS = {
    "boundary": AXES,
    "curve": {"axis": "a", "x": [0.0, 1.0, 2.0]},
    "prediction": {"true": [[1.0, 10.0], [2.0, 20.0]]},
}


def add(writer, kind: str, member: int, step: int, values: np.ndarray) -> None:
    row = [[step], [member], [kind], [list(values.shape)], [values.ravel().tolist()]]
    arrays = [pa.array(v, f.type) for v, f in zip(row, writer.schema("frames"), strict=True)]
    writer.append("frames", pa.record_batch(arrays, schema=writer.schema("frames")))


def painted(writer, fill) -> None:
    writer.describe(frames=FACTS, data={"classes": ["no", "yes"], "targets": ["t", "u"]})
    for member in range(4):
        for step in (20, 0, 10):
            add(writer, "boundary", member, step, np.full((2, 3), step + member, np.float32))
            add(writer, "curve", member, step, np.full((3, 2), step + member, np.float32))
            add(writer, "prediction", member, step, np.full((2, 2), step + member, np.float32))
            add(writer, "confusion", member, step, np.array([[step, 1], [2, member]], np.float32))


@pytest.fixture
def recording(record):
    return record({}, painted, **SPEC)


def test_the_boundary_of_members_over_time(recording, sent) -> None:
    points = Points(np.array([0.5]), np.array([5.5]), np.array([1.0]))
    figure = boundary_over_time(recording, [0, 3], points=points)
    out = sent(figure).plain
    assert [f["name"] for f in out["frames"]] == ["0", "10", "20"]
    assert [a["text"] for a in out["layout"]["annotations"]] == ["mse seed 0", "mae seed 1"]
    assert figure.layout.xaxis.title.text == "a"
    assert figure.layout.yaxis.title.text == "b"
    assert note(boundary_over_time(recording, []))


def test_fits_run_over_steps_with_their_seeds_and_end_at_the_last(recording, sent, decode) -> None:
    data = (np.array([0.0, 1.0]), np.array([0.0, 100.0]))
    figure = fits(recording, data=data)
    out = sent(figure)
    np.testing.assert_allclose(out.array("mse", "y"), np.full(3, 20.5))
    np.testing.assert_allclose(out.array("mae", "y"), np.full(3, 22.5))
    assert out.plain["layout"]["yaxis"]["title"]["text"] == "t"
    assert figure.layout.yaxis.range == (-15, 115)
    assert [f["name"] for f in out.plain["frames"]] == ["0", "10", "20"]
    assert out.plain["layout"]["sliders"][0]["active"] == 2
    middle = out.plain["frames"][1]
    drawn = dict(zip([out.traces[i]["name"] for i in middle["traces"]], middle["data"], strict=True))
    np.testing.assert_allclose(decode(drawn["mae"]["y"]), np.full(3, 12.5))
    np.testing.assert_allclose(decode(drawn["mae low"]["y"]), np.full(3, 12))
    np.testing.assert_allclose(decode(drawn["mae high"]["y"]), np.full(3, 13))


def test_fits_name_who_broke_and_whose_curve_is_outside(record, sent) -> None:
    def broken(writer, fill) -> None:
        writer.describe(frames=FACTS, data={"classes": [], "targets": ["t", "u"]})
        for member, value in enumerate((1e9, 1e30, 1.0, 1e30)):
            add(writer, "curve", member, 0, np.zeros((3, 2), np.float32))
            add(writer, "curve", member, 10, np.full((3, 2), value, np.float32))
        for member, step in ((0, 17), (1, 15), (3, 8)):
            writer.event("nonfinite", step=step, member=member, where="loss", detail="the loss is inf")
        writer.event("nonfinite", step=3, member=2, where="gradient", detail="once, and not the end")

    data = (np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    figure = fits(record({}, broken, **SPEC), data=data)
    out = sent(figure)
    np.testing.assert_array_equal(out.array("mae", "y"), np.ones(3))
    assert figure.layout.yaxis.range == (-0.3, 2.3)
    sentences = note(figure)
    assert "mse seed 0 broke at step 17, mse seed 1 broke at step 15; lies outside the picture." in sentences
    assert "mae seed 1 broke at step 8: left out from there on." in sentences
    assert "mae seed 0" not in sentences


def test_predictions_are_of_one_seed_in_target_units(recording, sent) -> None:
    figure = predictions(recording, target=1)
    out = sent(figure)
    np.testing.assert_array_equal(out.array("mae", "x"), [10, 20])
    np.testing.assert_array_equal(out.array("mae", "y"), [22, 22])
    assert "One seed" in note(figure)
    assert figure.layout.xaxis.title.text == "true (u)"


def test_confusions_add_up_over_seeds(recording, sent) -> None:
    figure = confusions(recording)
    assert [t["text"] for t in sent(figure).traces] == [[["40", "2"], ["4", "1"]], [["40", "2"], ["4", "5"]]]
    assert [a.text for a in figure.layout.annotations] == ["mse (2 seeds)", "mae (2 seeds)"]
    assert "added over the seeds" in note(figure)
    single = sent(confusions(recording, by="member", members=[1, 3]))
    assert [t["text"] for t in single.traces] == [[["20", "1"], ["2", "1"]], [["20", "1"], ["2", "3"]]]
    assert [a["text"] for a in single.plain["layout"]["annotations"]] == ["mse seed 1", "mae seed 1"]


def test_confusions_leave_out_and_name_members_that_broke(record, sent) -> None:
    def broken(writer, fill) -> None:
        painted(writer, fill)
        for member in (0, 2, 3):
            writer.event("nonfinite", step=12, member=member, where="loss", detail="the loss is NaN")

    recording = record({}, broken, **SPEC)
    figure = confusions(recording)
    assert [t["text"] for t in sent(figure).traces] == [[["20", "1"], ["2", "1"]]]
    assert "Left out: mse seed 0 (broke at step 12), mae seed 0 (broke at step 12)" in note(figure)
    assert len(sent(confusions(recording, step=11)).traces) == 2
    assert note(confusions(recording, members=[2])) == "Left out: mae seed 0 (broke at step 12)."


def test_a_stack_may_have_axes_of_its_own(record) -> None:
    def own(writer, fill) -> None:
        painted(writer, fill)
        stacks = [{"members": [0, 1, 2]}, {"members": [3], "frames": {"boundary": AXES | {"axes": ["c", "d"]}}}]
        writer.describe(stacks=stacks)

    assert boundary_over_time(record({}, own, **SPEC), [3]).layout.xaxis.title.text == "c"


def test_pictures_without_axes_are_refused(record) -> None:
    bare = record({}, lambda writer, fill: add(writer, "curve", 0, 0, np.zeros((3, 1), np.float32)), **SPEC)
    with pytest.raises(StoreError, match="pictures of 'curve' but does not say"):
        fits(bare)


def test_what_was_not_pictured_is_said(record) -> None:
    empty = record({}, **SPEC)
    assert pictured(empty, "boundary") == []
    for figure in (boundary_over_time(empty, [0]), fits(empty), predictions(empty), confusions(empty)):
        assert note(figure).startswith("No ")
