"""``xinqiao bench NAME``: the benchmarks, each beside its reference."""

import importlib
import json
import os
import platform
from collections.abc import Iterable
from typing import Any

import click

NAMES = {
    "callbacks": "bench.callbacks",
    "import": "bench.import_sheet",
    "pages": "bench.pages",
    "push": "bench.push",
}


@click.command()
@click.argument("name", type=click.Choice(sorted(NAMES)))
@click.option("--json", "as_json", is_flag=True)
@click.option("--quick", is_flag=True, help="Less data; ends within 45 seconds.")
def bench(name: str, as_json: bool, quick: bool) -> None:
    """Measure, and say against what."""
    figures: Iterable[dict[str, Any]] = importlib.import_module(NAMES[name]).run(quick=quick)
    if as_json:
        result = {"name": name, "machine": _machine(), "figures": list(figures)}
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    for figure in figures:  # some are told as soon as they are known
        click.echo("  ".join(f"{key}={value}" for key, value in figure.items()))


def _machine() -> str:
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} cores, Python {platform.python_version()}"
