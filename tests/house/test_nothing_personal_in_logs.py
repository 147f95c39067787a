"""A month's payroll from roster to payslip, with faults on the way: the logs name nobody."""

import json
import re

import pytest
import requests
import responses as responses_library

from channel import bulk
from channel.signin import ACCOUNT, IDENTITY, USER
from core.log import logger
from core.queues import Job
from domain.directory.queries import find_signed_in_identity
from domain.directory.roster import import_roster
from domain.payroll import service as payroll
from domain.payroll.queries import list_held, list_own_payslips
from domain.payroll.sheets import read_roster
from tests.factories import make_channel_account, make_hr, make_identity
from workers import jobs

SECRET = "5ecre7-0f-the-account"
PHONE, ID_NO, CARD = "13800000001", "11010519491231002X", "6222021001123457890"
NAME, NET, BASE = "欧阳明月", "6120.50", "7300.25"
PERSONAL = (SECRET, PHONE, ID_NO, ID_NO[-6:], CARD, NAME, NET, BASE, "6,120.50", "7,300.25")

ROSTER = f"""emp_id,emp_no,name,phone,id_no,bank_card,dept,status
E-1,000001,{NAME},{PHONE},{ID_NO},{CARD},生产部,在职
"""
SHEET = f"""姓名,手机号,身份证号,基本工资,个税及社保,实发工资
{NAME},{PHONE},{ID_NO},{BASE},1179.75,{NET}
{NAME}二,{PHONE[:-1]},{ID_NO},{BASE},1179.75,{NET}
"""


@pytest.fixture
def wechat_is_down():
    """Its faults carry the address that was called, and the address carries secrets."""

    def fail(request):
        raise requests.ConnectionError(f"Max retries exceeded with url: {request.url}")

    with responses_library.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in ("GET", "POST"):
            mock.add_callback(method, re.compile(".*"), fail)
        yield
    bulk.close()


def test_a_payroll_from_roster_to_payslip_names_nobody(client, queue, log, wechat_is_down):
    hr, account = make_hr(), make_channel_account(secret=SECRET)
    wechat = make_identity(account).id
    client.sign_in("/hr", **{USER: hr.id})
    client.sign_in("/me", **{IDENTITY: wechat, ACCOUNT: account.id})

    import_roster(hr, [row.entry for row in read_roster(ROSTER.encode(), "roster.csv").accepted])
    for name in (NAME + "错", NAME):
        client.post("/me/bind", data={"name": name, "phone": PHONE, "id_tail": ID_NO[-6:]})
    batch = payroll.upload_sheet(hr, SHEET.encode(), f"{NAME} {PHONE}.csv", "2026-03")
    jobs.read_payroll_sheet(batch.id)
    assert client.get(f"/hr/payroll/{batch.id}").status_code == 200
    leave_out_what_is_held(hr, batch.id)
    payroll.publish_batch(hr, batch.id)
    for args in queue.args(Job.PREPARE_CAMPAIGN):
        jobs.prepare_campaign(*args)
    for args in queue.args(Job.FEED_PUSHES)[:1]:
        jobs.feed_pushes(*args)
    for args in queue.args(Job.SEND_PUSHES):
        jobs.send_pushes(*args)
    jobs.sweep()
    slip = own_payslip(wechat, account.id)
    page = client.get(f"/me/payslips/{slip}")
    client.get(f"/me/nowhere/{PHONE}?code=021abcdef&phone={PHONE}")
    break_in_the_middle(f"{account.secret.get_secret_value()} of {PHONE}")

    # There was something to leak, and it is on the page where it belongs.
    assert "6,120.50" in page.text
    written = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {"pushes recorded", "broken"} <= {line["event"] for line in written}
    for private in PERSONAL:
        assert private not in log.getvalue(), private
        assert json.dumps(private)[1:-1] not in log.getvalue(), private


def leave_out_what_is_held(hr, batch_id):
    for row in list_held(hr, batch_id):
        payroll.leave_out(hr, row.id)


def own_payslip(wechat, account_id):
    (slip,) = list_own_payslips(find_signed_in_identity(wechat, account_id, 0), 2026)
    return slip.id


def break_in_the_middle(text):
    def fail():
        raise RuntimeError(f"https://api.example/token?secret={text}")

    try:
        fail()
    except RuntimeError:
        logger.exception("broken", extra={"phone": PHONE, "detail": f"call {PHONE}"})
