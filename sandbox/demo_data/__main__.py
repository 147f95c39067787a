"""Write the demo data into a folder."""

import argparse
from pathlib import Path

from . import SEED, generate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo_data", description=__doc__)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    data = generate(arguments.outdir, arguments.seed)
    for enterprise in data.enterprises:
        rows = len(enterprise.expected.accepted) + len(enterprise.expected.held)
        print(f"{enterprise.name}: {len(enterprise.employees)} people, {rows} rows")


main()
