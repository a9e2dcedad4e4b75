"""docs/cli.md is what the commands say of themselves."""

from __future__ import annotations

from docs.generate_cli import TARGET, page


def test_the_page_of_commands_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "run make docs"
