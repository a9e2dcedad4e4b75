"""The commands and their options. Each body imports what it needs, so that help and tables come at once."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from lossdiag.errors import LossdiagError

app = typer.Typer(
    name="lossdiag",
    help="Race loss functions, record every step, and see why a loss does what it does.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Runs = Annotated[Path, typer.Option(help="Folder of the recorded runs.", envvar="LOSSDIAG_RUNS")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Name = Annotated[str, typer.Option(help="What to call the run.")]
Set = Annotated[
    list[str],
    typer.Option("--set", metavar="PATH=VALUE", help="Change any field, such as model.width=32; may be repeated."),
]
RUNS = Path("runs")


class Format(StrEnum):
    """What a run can be exported to."""

    CSV = "csv"
    PARQUET = "parquet"
    SPEC = "spec"


@app.command()
def run(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="An experiment, as YAML or JSON.")],
    changes: Set = [],  # noqa: B006 - typer copies it
    name: Name = "",
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Train an experiment, record it, and print its yardsticks."""
    from lossdiag.cli.arguments import changed, read_spec

    experiment = changed(read_spec(spec), changes)  # refused, if it has to be, before torch is imported
    from lossdiag.cli.training import run_experiment

    _exit(run_experiment(experiment, runs=runs, name=name, as_json=as_json))


@app.command()
def compare(
    losses: Annotated[
        list[str], typer.Option("--loss", metavar="NAME[:PARAM=VALUE,...]", help="A loss; repeat for each that races.")
    ],
    data: Annotated[
        str, typer.Option(help="sample:NAME, synthetic:NAME, or the path of a file.")
    ] = "sample:breast_cancer",
    target: Annotated[list[str], typer.Option(help="Target column of a file; may be repeated.")] = [],  # noqa: B006
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 300,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    changes: Set = [],  # noqa: B006
    name: Name = "",
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Race losses on one data set; print yardsticks, and differences paired by seed."""
    from lossdiag.cli.arguments import changed, race

    spec = changed(race(losses, data=data, target=target, seeds=seeds, steps=steps, lr=lr), changes)
    from lossdiag.cli.training import run_race

    _exit(run_race(spec, runs=runs, name=name, as_json=as_json))


@app.command()
def losses(as_json: Json = False) -> None:
    """List the losses, their parameters and the tasks they are for."""
    from lossdiag.cli.tables import print_losses

    print_losses(as_json=as_json)


@app.command()
def data(as_json: Json = False) -> None:
    """List the sample data and the synthetic generators."""
    from lossdiag.cli.tables import print_data

    print_data(as_json=as_json)


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, or the path of its folder.")],
    to: Annotated[Format, typer.Option(help="csv and parquet give one table, spec the experiment as YAML.")],
    table: Annotated[
        str, typer.Option(help="Which table: steps, layers, activations, evals, events or frames.")
    ] = "steps",
    out: Annotated[
        Path | None, typer.Option(help="File to write; made from the run's id when left out.", show_default=False)
    ] = None,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Write a table of a run, or its experiment, to a file."""
    from lossdiag.cli.exporting import export_run

    export_run(run, to.value, table=table, out=out, runs=runs, as_json=as_json)


@app.command()
def ui(
    runs: Runs = RUNS,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes the first free one from 8501.")] = 0,
) -> None:
    """Serve the dashboard on 127.0.0.1."""
    from lossdiag.cli.serving import serve

    serve(runs, port)


def main() -> None:
    """Run the command line; what a person can mend is said in one line on standard error, with status 2."""
    try:
        status = app(args=sys.argv[1:] or ["--help"], standalone_mode=False, prog_name="lossdiag")
    except LossdiagError as error:
        _refuse(str(error))
    except typer.TyperException as error:
        # Usage errors know how to say what is wrong beside which option.
        describe = getattr(error, "format_message", error.__str__)
        _refuse(f"{describe()} (see lossdiag --help)")
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # the reader of our output, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"lossdiag: {' '.join(message.split())}\n")
    sys.exit(2)


def _exit(status: int) -> None:
    raise typer.Exit(status)
