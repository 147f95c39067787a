"""A demo bank with three enterprises, their rosters and one wild payroll sheet each.

``python -m sandbox.demo_data OUTDIR`` writes the files; ``generate`` also tells who is who and
which rows a careful reader must hold, so that tests can check that recognition finds exactly that.
The same seed gives the same bytes.
"""

import csv
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from . import factory, school, site
from .book import ROSTER_HEADER, roster_line, write_roster
from .expected import DemoData, Enterprise, Expected
from .people import Employee, names

__all__ = ["SEED", "DemoData", "Employee", "Enterprise", "Expected", "generate"]

SEED = 20260301
_ORGS = (
    ("/jx/", "union", "江西某农商联合"),
    ("/jx/xq/", "bank", "信桥农商银行"),
    ("/jx/xq/east/", "branch", "东湖支行"),
    ("/jx/xq/east/square/", "outlet", "广场分理处"),
)
_BRANCH = "/jx/xq/east/"
_MakePeople = Callable[[random.Random, Iterator[str]], list[Employee]]
_WriteSheet = Callable[[Path, random.Random, list[Employee]], Expected]
_ENTERPRISES: tuple[tuple[str, str, str, _MakePeople, _WriteSheet], ...] = (
    ("school", "信桥示范学校", "2026年3月教职工工资.xlsx", school.make_people, school.write_sheet),
    ("site", "信桥建筑劳务有限公司", "3月农民工工资表.csv", site.make_people, site.write_sheet),
    ("factory", "信桥制衣厂", "工资条.xlsx", factory.make_people, factory.write_sheet),
)
_HR_NAMES = {
    "school": ("方慧敏", "钱立信"),
    "site": ("龚大年", "付守正"),
    "factory": ("裘细妹", "计有方"),
}


def generate(outdir: Path, seed: int = SEED) -> DemoData:
    outdir.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    fresh = names(chance)
    enterprises = tuple(_write_enterprise(outdir, chance, fresh, *parts) for parts in _ENTERPRISES)
    organisation = outdir / "organisation.json"
    text = json.dumps(_organisation(seed, enterprises), ensure_ascii=False, indent=2)
    organisation.write_text(text + "\n", encoding="utf-8")
    return DemoData(seed, outdir, organisation, enterprises)


def _write_enterprise(
    outdir: Path,
    chance: random.Random,
    fresh: Iterator[str],
    key: str,
    name: str,
    filename: str,
    make_people: _MakePeople,
    write_sheet: _WriteSheet,
) -> Enterprise:
    people = make_people(chance, fresh)
    roster_csv, roster_xlsx = outdir / f"{key}-roster.csv", outdir / f"{key}-roster.xlsx"
    with roster_csv.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(ROSTER_HEADER)
        writer.writerows(roster_line(person) for person in people)
    write_roster(roster_xlsx, tuple(people))
    sheet = outdir / f"{key}-{filename}"
    expected = write_sheet(sheet, chance, people)
    path = f"{_BRANCH}{key}/"
    return Enterprise(key, name, path, tuple(people), roster_csv, roster_xlsx, sheet, expected)


def _organisation(seed: int, enterprises: tuple[Enterprise, ...]) -> dict[str, object]:
    orgs = [{"org_path": path, "kind": kind, "name": name} for path, kind, name in _ORGS]
    orgs += [{"org_path": e.org_path, "kind": "enterprise", "name": e.name} for e in enterprises]
    users = [_user("bank-ops", "余运营", "/jx/xq/", ["bank-operations"])]
    for enterprise in enterprises:
        first, second = _HR_NAMES[enterprise.key]
        users.append(_user(f"{enterprise.key}-hr", first, enterprise.org_path, ["hr"]))
        both = ["hr", "finance"]
        users.append(_user(f"{enterprise.key}-finance", second, enterprise.org_path, both))
    files = [
        {
            "key": e.key,
            "org_path": e.org_path,
            "name": e.name,
            "period": e.expected.period,
            "roster_csv": e.roster_csv.name,
            "roster_xlsx": e.roster_xlsx.name,
            "sheet": e.sheet.name,
        }
        for e in enterprises
    ]
    return {"seed": seed, "orgs": orgs, "users": users, "enterprises": files}


def _user(login: str, name: str, org_path: str, roles: list[str]) -> dict[str, object]:
    return {"login": login, "name": name, "org_path": org_path, "roles": roles}
