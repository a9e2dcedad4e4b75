"""Write docs/cli.md from the commands' own help; tests/cli/test_docs.py says when it is stale."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from lossdiag.cli import app

TARGET = Path(__file__).with_name("cli.md")
HEAD = """\
# The command line

This page is generated from the commands' own help: `make docs` writes it.

Exit status: 0 done; 2 bad input, with one line on standard error that says what to mend; 130 ended by Ctrl-C, which
keeps the run as `cancelled`. `--json` prints for programs, on standard output; progress goes to standard error.

```
lossdiag compare --data sample:breast_cancer --loss bce_with_logits --loss 'focal_binary:gamma=3' --seeds 5
lossdiag compare --data houses.csv --target price --loss mse --loss huber --set model.width=32 --set train.device=cpu
lossdiag run race.yaml --set 'grid={optimizer.lr: [0.1, 0.01]}' --json
lossdiag export r20250131-k3f7a2bq --to csv --table evals
```
"""


def page() -> str:
    """Return the page."""
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    return HEAD + "".join(f"\n## lossdiag {name}\n\n```\n{_help(name)}\n```\n" for name in names)


def _help(name: str) -> str:
    result = CliRunner().invoke(app, [name, "--help"], prog_name="lossdiag", terminal_width=100, max_content_width=100)
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
