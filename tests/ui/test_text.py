import pytest

from ui.text import counted, duration, plain, size


@pytest.mark.parametrize(
    "hostile", ["**b**", "<script>", "[a](http://x)", "![i](http://x)", ":red[x]", "$x$", "`c`", "# h"]
)
def test_plain_leaves_no_markup(hostile: str) -> None:
    shown = plain(hostile)
    assert shown.replace("\\", "") == hostile
    assert all(shown[i - 1] == "\\" for i, c in enumerate(shown) if c in "*<>[]():$`#!")


def test_plain_is_one_paragraph() -> None:
    assert plain("a\n\n    b") == "a b"


@pytest.mark.parametrize(("n", "text"), [(0, "0 seeds"), (1, "1 seed"), (1500, "1,500 seeds")])
def test_counted(n: int, text: str) -> None:
    assert counted(n, "seed") == text


@pytest.mark.parametrize(("n", "text"), [(12, "12 bytes"), (3400, "3.4 kB"), (5_000_000, "5.0 MB"), (7.2e9, "7.2 GB")])
def test_size(n: int, text: str) -> None:
    assert size(n) == text


@pytest.mark.parametrize(
    ("s", "text"), [(0.44, "0.4 s"), (42.3, "42 s"), (59.7, "1 min 0 s"), (185, "3 min 5 s"), (7300, "2 h 1 min")]
)
def test_duration(s: float, text: str) -> None:
    assert duration(s) == text
