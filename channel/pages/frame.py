"""What surrounds every page of an employee: the bank's name and the tab bar."""

from dataclasses import dataclass

from flask import render_template, request, session, url_for

BANK_NAME = "bank_name"  # kept in the session at sign-in, so that no page has to ask for it


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    icon: str
    url: str
    is_current: bool


def page(template: str, **values: object) -> str:
    return render_template(template, bank_name=session.get(BANK_NAME, ""), **values)


def tabs() -> list[Tab]:
    """For the pages that the bar itself leads to."""
    ways = (
        ("工资条", "sheet", "employee.payslips.index"),
        ("我的", "people", "employee.account.show"),
    )
    return [Tab(label, icon, url_for(way), request.endpoint == way) for label, icon, way in ways]
