"""``xinqiao bench pages``: the payslip list and detail against an empty view under gunicorn."""

import json
from typing import Any

from flask import Flask, Response

from bench.ground import free_port, ground, start_server
from bench.load import Load, hammer
from channel.signin import ACCOUNT, IDENTITY
from core.clock import utc_now
from core.db import transaction
from core.money import Fen
from core.security import seal
from core.web import RedisSessions
from domain.directory.accounts import CallbackMode, ChannelKind
from domain.directory.models import (
    PERSONAL,
    ChannelAccount,
    Employee,
    EmployeeBinding,
    Identity,
    Org,
    OrgKind,
)
from domain.payroll import slips
from domain.payroll.models import SLIP, BatchStatus, PayrollBatch, Payslip
from domain.payroll.sheets import AcceptedRow, Item

ORG = "/bench/"
MONTHS = 12
ITEMS = 30
CONNECTIONS = 16
THREADS, PROCESSES = 8, 2


def run(*, quick: bool) -> list[dict[str, Any]]:
    seconds = 2.0 if quick else 8.0
    ours, gunicorn_port, granian_port = free_port(), free_port(), free_port()
    with ground(ours) as (app, supervisor):
        slip_id, cookie = _fill(app)
        empty = "bench.empty_view:create_app"
        start_server(
            supervisor,
            "gunicorn",
            gunicorn_port,
            *("gunicorn", f"{empty}()", "--worker-class", "gthread"),
            *("--bind", f"127.0.0.1:{gunicorn_port}"),
            *("--workers", str(PROCESSES), "--threads", str(THREADS)),
        )
        start_server(
            supervisor,
            "granian",
            granian_port,
            *("granian", empty, "--factory", "--interface", "wsgi", "--no-ws"),
            *("--host", "127.0.0.1", "--port", str(granian_port)),
            *("--workers", str(PROCESSES), "--blocking-threads", str(THREADS)),
        )
        start_server(supervisor, "ours", ours, "app", "run")

        def measure(port: int, path: str, cookie: str = "") -> Load:
            return hammer(port, path, cookie=cookie, connections=CONNECTIONS, seconds=seconds)

        reference = measure(gunicorn_port, "/")
        figures = [_figure("empty view, granian", measure(granian_port, "/"), reference)]
        for what, path in (("list", "/me/payslips"), ("detail", f"/me/payslips/{slip_id}")):
            load = measure(ours, path, cookie)
            if load.refused:
                raise RuntimeError(f"{load.refused} answers of {path} were no page")
            figures.append(_figure(f"payslip {what}", load, reference))
            figures += _latency(f"payslip {what}", load)
        figures.append(_figure("empty view, gunicorn (reference)", reference, reference))
    return figures


def _figure(what: str, load: Load, reference: Load) -> dict[str, Any]:
    ratio = round(load.per_second / reference.per_second, 3)
    return {
        "what": what,
        "value": round(load.per_second),
        "unit": "requests/s",
        "reference": round(reference.per_second),
        "ratio": ratio,
        "aim": None,
        "holds": None,
    }


def _latency(what: str, load: Load) -> list[dict[str, Any]]:
    return [
        {
            "what": f"{what} p{int(share * 100)}",
            "value": round(load.percentile_ms(share), 2),
            "unit": "ms",
            "reference": None,
            "ratio": None,
            "aim": None,
            "holds": None,
        }
        for share in (0.5, 0.95)
    ]


def _fill(app: Flask) -> tuple[int, str]:
    """A year of slips for one employee; the last slip's id and a signed-in session's cookie."""
    now = utc_now()
    with transaction() as session:
        session.add(Org(org_path=ORG, kind=OrgKind.ENTERPRISE, name="测试单位", created_at=now))
        account = ChannelAccount(
            org_path=ORG,
            kind=ChannelKind.OFFICIAL_ACCOUNT,
            name="bench",
            title="测试",
            appid="wx",
            mode=CallbackMode.SAFE,
            secret_sealed="",
            token_sealed="",
            aes_key_sealed="",
            created_at=now,
        )
        employee = Employee(
            org_path=ORG,
            emp_id="E1",
            emp_no="1",
            name="张三",
            department="教务处",
            personal_sealed=seal(PERSONAL, json.dumps({"phone": "", "id_no": "", "bank_card": ""})),
            created_at=now,
            updated_at=now,
        )
        session.add_all([account, employee])
        session.flush()
        identity = Identity(
            org_path=ORG,
            channel_account_id=account.id,
            openid="o1",
            created_at=now,
            updated_at=now,
        )
        session.add(identity)
        session.flush()
        session.add(
            EmployeeBinding(
                org_path=ORG,
                channel_account_id=account.id,
                identity_id=identity.id,
                employee_id=employee.id,
                bound_at=now,
            )
        )
        for month in range(1, MONTHS + 1):
            batch = PayrollBatch(
                org_path=ORG,
                period=f"{now.year}-{month:02d}",
                status=BatchStatus.PUBLISHED,
                file_name="工资.xlsx",
                file_key="",
                created_at=now,
                created_by=0,
                published_at=now,
            )
            session.add(batch)
            session.flush()
            slip = Payslip(
                org_path=ORG,
                batch_id=batch.id,
                employee_id=employee.id,
                content_sealed=seal(SLIP, slips.pack(_row(month))),
                published_at=now,
            )
            session.add(slip)
        session.flush()
        slip_id = slip.id
    return slip_id, _cookie(app, {IDENTITY: identity.id, ACCOUNT: account.id})


def _row(month: int) -> AcceptedRow:
    items = tuple(
        Item(f"项目{number}", "应发" if number < 20 else "扣款", "earning", "100.00", Fen(10000))
        for number in range(ITEMS)
    )
    return AcceptedRow("工资表", month + 3, "E1", 300000, items, ("phone", "name"))


def _cookie(app: Flask, values: dict[str, int]) -> str:
    """Sign in as the service itself does, without WeChat: this measures pages."""
    sessions = RedisSessions()
    with app.test_request_context("/me/") as context:
        session = sessions.open_session(app, context.request)
    if session is None:
        raise RuntimeError("no session for the employee's door")
    session.update(values)
    response = Response()
    sessions.save_session(app, session, response)
    return response.headers["Set-Cookie"].partition(";")[0]
