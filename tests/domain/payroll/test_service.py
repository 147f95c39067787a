import pytest
from sqlalchemy import select

from core.clock import utc_now
from core.db import transaction
from core.errors import Forbidden, NotFound
from core.queues import Job
from core.security import unseal
from domain.audit.models import AuditEvent
from domain.directory.access import Actor, Role
from domain.payroll import queries, service, slips
from domain.payroll.errors import (
    BatchAlreadyPublished,
    BatchNotDraft,
    EmployeeHasSlip,
    EmployeeNotOnRoster,
    NothingToPublish,
    NoticesNotOpen,
    PeriodMissing,
    RowDecided,
    RowsStillHeld,
    SheetUploadedAlready,
    UploadBlank,
    UploadEmpty,
    UploadTooLarge,
)
from domain.payroll.models import SLIP, BatchStatus, HeldRow, HeldStatus, PayrollBatch, Payslip
from domain.pushes import campaigns
from domain.pushes.models import Campaign, Push
from tests.factories import (
    ENTERPRISE,
    make_channel_account,
    make_employee,
    make_hr,
    make_user,
)

HEADER = "工号,姓名,手机号,基本工资,扣款,实发工资"


def sheet(*rows: str, title: str = "2026年3月工资表") -> bytes:
    return "\n".join([title, HEADER, *rows]).encode()


@pytest.fixture
def hr(session):
    make_channel_account()
    make_employee(name="张三", phone="13800000001", emp_id="E-1", emp_no="001")
    make_employee(name="李四", phone="13800000002", emp_id="E-2", emp_no="002")
    make_employee(name="王五", phone="13800000003", emp_id="E-3", emp_no="003")
    return make_hr()


ZHANG = "001,张三,13800000001,6000.00,100.00,5900.00"
LI = "002,李四,13800000002,5000.00,0,5000.00"
STRANGER = "009,赵六,13800000009,4000.00,0,4000.00"


def read(hr: Actor, *rows: str, title: str = "2026年3月工资表") -> int:
    batch = service.upload_sheet(hr, sheet(*rows, title=title), "三月工资.csv")
    service.read_sheet(batch.id)
    return batch.id


def stored(session, batch_id: int) -> PayrollBatch:
    return session.get_one(PayrollBatch, batch_id, populate_existing=True)


def slips_of(session, batch_id: int) -> list[Payslip]:
    return list(session.scalars(select(Payslip).where(Payslip.batch_id == batch_id)))


def held_ids(hr: Actor, batch_id: int) -> list[int]:
    return [held.id for held in queries.list_held(hr, batch_id)]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda hr, batch, row: queries.get_batch(hr, batch),
        lambda hr, batch, row: service.set_period(hr, batch, "2026-03"),
        lambda hr, batch, row: service.discard_batch(hr, batch),
        lambda hr, batch, row: service.publish_batch(hr, batch),
        lambda hr, batch, row: service.settle_row(hr, row, {}),
        lambda hr, batch, row: service.leave_out(hr, row),
        lambda hr, batch, row: service.restore_row(hr, row),
    ],
)
def test_another_enterprises_try_stands_in_the_owners_trail(session, hr, attempt):
    batch_id = read(hr, ZHANG, STRANGER)
    [row_id] = held_ids(hr, batch_id)
    make_channel_account("/hq/bj/ent-2/")
    stranger = make_hr("/hq/bj/ent-2/")

    with pytest.raises(NotFound) as refusal:
        attempt(stranger, batch_id, row_id)
    with pytest.raises(NotFound) as nothing:
        attempt(stranger, 4711, 4711)

    assert str(refusal.value) == str(nothing.value)
    query = select(AuditEvent).where(AuditEvent.action.endswith(".refused"))
    [event] = session.scalars(query)
    assert (event.org_path, event.actor_id) == (ENTERPRISE, stranger.id)
    assert (event.subject, event.subject_id) in {
        ("payroll_batches", batch_id),
        ("payroll_held_rows", row_id),
    }
    assert stored(session, batch_id).status is BatchStatus.DRAFT


# --- upload and reading ---------------------------------------------------------------------


def test_an_upload_is_a_batch_and_a_job_and_one_audit_row(session, hr, queue):
    batch = service.upload_sheet(hr, sheet(ZHANG), "三月工资.csv")

    assert batch.status is BatchStatus.READING
    assert queue.args(Job.READ_PAYROLL_SHEET) == [(batch.id,)]
    actions = session.scalars(select(AuditEvent.action)).all()
    assert actions.count("payroll.batch.uploaded") == 1


def test_the_stored_file_shows_nobodys_pay(hr, settings):
    service.upload_sheet(hr, sheet(ZHANG), "三月工资.csv")

    files = [path for path in settings.files_dir.rglob("*") if path.is_file()]
    assert files
    assert all("张三".encode() not in path.read_bytes() for path in files)


def test_a_sheet_becomes_slips_and_held_rows(session, hr):
    batch_id = read(hr, ZHANG, LI, STRANGER)

    batch = stored(session, batch_id)
    assert (batch.status, batch.period) == (BatchStatus.DRAFT, "2026-03")
    assert batch.net_total_fen == 1090000
    contents = [slips.unpack(unseal(SLIP, s.content_sealed)) for s in slips_of(session, batch_id)]
    assert sorted(content.net_fen for content in contents) == [500000, 590000]
    held = queries.list_held(hr, batch_id)
    assert [view.content.reasons for view in held] == [("NOT_FOUND",)]
    assert ["实发工资" in [c.label for c in view.summary] for view in held] == [True]


def test_the_month_that_hr_gave_wins_over_the_sheets(session, hr):
    batch = service.upload_sheet(hr, sheet(ZHANG), "工资.csv", "2026年2月")
    service.read_sheet(batch.id)

    assert stored(session, batch.id).period == "2026-02"


def test_reading_twice_stores_once(session, hr):
    batch_id = read(hr, ZHANG)
    service.read_sheet(batch_id)

    assert len(slips_of(session, batch_id)) == 1


def test_a_batch_decided_while_it_was_read_is_left_alone(session, hr, monkeypatch):
    batch = service.upload_sheet(hr, sheet(ZHANG), "三月工资.csv")
    real = service.check_sheet

    def slow(*args, **kwargs):
        report = real(*args, **kwargs)
        service.give_up_reading(batch.id)
        return report

    monkeypatch.setattr(service, "check_sheet", slow)
    service.read_sheet(batch.id)

    assert stored(session, batch.id).status is BatchStatus.REFUSED
    assert slips_of(session, batch.id) == []


def test_reading_a_batch_that_is_gone_does_nothing(session):
    service.read_sheet(4711)

    assert session.scalars(select(Payslip)).all() == []


def test_a_file_that_is_no_payroll_is_refused_in_words(session, hr):
    batch = service.upload_sheet(hr, b"%PDF-1.7 nothing", "工资.pdf")
    service.read_sheet(batch.id)

    batch = stored(session, batch.id)
    assert batch.status is BatchStatus.REFUSED
    assert "工资.pdf" in batch.refusal_message
    assert slips_of(session, batch.id) == []


def test_the_same_file_comes_in_once_while_its_batch_lives(hr):
    batch_id = read(hr, ZHANG)

    with pytest.raises(SheetUploadedAlready):
        service.upload_sheet(hr, sheet(ZHANG), "又一次.csv")
    service.discard_batch(hr, batch_id)
    assert service.upload_sheet(hr, sheet(ZHANG), "又一次.csv").id != batch_id


def test_a_double_tap_is_one_batch(committed, together, settings):
    make_channel_account()
    hr = make_hr()

    results = together(*[lambda: service.upload_sheet(hr, sheet(ZHANG), "三月.csv")] * 4)

    refused = [result for result in results if isinstance(result, SheetUploadedAlready)]
    assert len(refused) == 3
    assert len(committed.scalars(select(PayrollBatch)).all()) == 1


def test_the_file_of_a_discarded_or_refused_batch_is_gone(hr, settings):
    read(hr, ZHANG)
    before = set(settings.files_dir.rglob("*"))
    service.discard_batch(hr, read(hr, LI))
    refused = service.upload_sheet(hr, b"%PDF-1.7 nothing", "工资.pdf")
    service.read_sheet(refused.id)

    assert set(settings.files_dir.rglob("*")) == before


def test_another_enterprise_may_upload_the_same_file(hr):
    service.upload_sheet(hr, sheet(ZHANG), "三月工资.csv")
    other = make_hr("/hq/bj/ent-2/")

    assert service.upload_sheet(other, sheet(ZHANG), "三月工资.csv").org_path == "/hq/bj/ent-2/"


def test_nothing_and_too_much_are_refused(hr, settings, monkeypatch):
    with pytest.raises(UploadEmpty):
        service.upload_sheet(hr, b"", "")
    with pytest.raises(UploadBlank, match=r"“空\.csv”是空文件"):
        service.upload_sheet(hr, b"", "空.csv")
    small = settings.model_copy(update={"upload_limit_bytes": 10})
    monkeypatch.setattr(service, "get_settings", lambda: small)
    with pytest.raises(UploadTooLarge):
        service.upload_sheet(hr, b"x" * 11, "大.csv")


def test_progress_is_shown_while_reading(hr, redis):
    batch_id = read(hr, ZHANG, LI)
    assert service.reading_progress(4711) == (0, 0)

    service.note_progress(batch_id, 3, 10)

    assert service.reading_progress(batch_id) == (3, 10)


def test_a_lost_reading_is_given_up_in_words(session, hr):
    batch = service.upload_sheet(hr, sheet(ZHANG), "三月工资.csv")
    assert service.sweep_readings() == 0
    with transaction() as session:
        stored(session, batch.id).created_at = utc_now() - service.READING_LIFE * 2

    assert service.sweep_readings() == 1
    batch = stored(session, batch.id)
    assert (batch.status, batch.refusal_code) == (BatchStatus.REFUSED, "READ_FAILED")
    service.give_up_reading(batch.id)
    assert service.upload_sheet(hr, sheet(ZHANG), "三月工资.csv").id != batch.id


# --- correcting -----------------------------------------------------------------------------


def test_a_corrected_row_becomes_a_slip(session, hr):
    batch_id = read(hr, ZHANG, "003,王六,13800000003,4000.00,0,4000.00")
    [held] = queries.list_held(hr, batch_id)
    cells = {
        label: "王五" if text == "王六" else text for label, text in held.content.cells.items()
    }

    assert service.settle_row(hr, held.id, cells) is None

    assert len(slips_of(session, batch_id)) == 2
    assert stored(session, batch_id).net_total_fen == 990000
    assert session.get_one(HeldRow, held.id).status is HeldStatus.SETTLED


def test_a_correction_that_does_not_settle_it_says_what_stands_against(session, hr):
    batch_id = read(hr, ZHANG, STRANGER)
    [held] = queries.list_held(hr, batch_id)

    still = service.settle_row(hr, held.id, {**held.content.cells})

    assert still is not None
    assert still.reasons
    assert held_ids(hr, batch_id) == [held.id]


def test_hr_says_whose_row_it_is(session, hr):
    batch_id = read(hr, ZHANG, ",王五,,4000.00,0,4000.00")
    [held] = queries.list_held(hr, batch_id)

    assert service.settle_row(hr, held.id, held.content.cells, emp_id="E-3") is None

    employees = {slip.employee_id for slip in slips_of(session, batch_id)}
    assert len(employees) == 2


def test_a_choice_outside_the_roster_is_refused(hr):
    batch_id = read(hr, ZHANG, STRANGER)
    [held] = queries.list_held(hr, batch_id)

    with pytest.raises(EmployeeNotOnRoster):
        service.settle_row(hr, held.id, held.content.cells, emp_id="E-404")


def test_nobody_gets_two_slips_in_one_batch(hr):
    batch_id = read(hr, ZHANG, ",王五,,4000.00,0,4000.00")
    [held] = queries.list_held(hr, batch_id)
    cells = {**held.content.cells}
    cells[next(label for label, text in cells.items() if text == "王五")] = "张三"

    with pytest.raises(EmployeeHasSlip):
        service.settle_row(hr, held.id, cells, emp_id="E-1")


def test_a_row_is_decided_once(hr):
    batch_id = read(hr, ZHANG, STRANGER)
    [held_id] = held_ids(hr, batch_id)
    service.leave_out(hr, held_id)

    with pytest.raises(RowDecided):
        service.leave_out(hr, held_id)
    with pytest.raises(NotFound):
        service.leave_out(hr, 4711)


def test_a_row_left_out_is_seen_with_who_did_it_and_can_be_brought_back(session, hr):
    batch_id = read(hr, ZHANG, STRANGER)
    [held_id] = held_ids(hr, batch_id)
    before = utc_now()
    service.leave_out(hr, held_id)

    [line] = queries.list_left_out(hr, batch_id)
    assert (line.held.id, line.decided_by) == (held_id, hr.name)
    assert before <= line.decided_at <= utc_now()
    assert queries.get_batch(hr, batch_id).left_out == 1

    service.restore_row(hr, held_id)

    assert queries.list_left_out(hr, batch_id) == []
    assert held_ids(hr, batch_id) == [held_id]
    assert queries.get_batch(hr, batch_id).left_out == 0
    assert session.scalars(select(AuditEvent.action)).all()[-1] == "payroll.row.restored"
    with pytest.raises(RowsStillHeld):
        service.publish_batch(hr, batch_id)


def test_only_a_row_left_out_of_a_draft_can_be_brought_back(hr):
    batch_id = read(hr, ZHANG, STRANGER)
    [held_id] = held_ids(hr, batch_id)
    with pytest.raises(RowDecided):
        service.restore_row(hr, held_id)
    service.leave_out(hr, held_id)
    service.publish_batch(hr, batch_id)

    with pytest.raises(BatchNotDraft):
        service.restore_row(hr, held_id)


def test_the_month_can_be_set_on_a_draft_only(session, hr):
    batch_id = read(hr, ZHANG, title="工资表")
    assert stored(session, batch_id).period == ""
    with pytest.raises(PeriodMissing):
        service.set_period(hr, batch_id, "三月")

    service.set_period(hr, batch_id, "2026-3")

    assert stored(session, batch_id).period == "2026-03"
    service.publish_batch(hr, batch_id)
    with pytest.raises(BatchNotDraft):
        service.set_period(hr, batch_id, "2026-04")


def test_a_discarded_draft_leaves_nothing_behind(session, hr):
    batch_id = read(hr, ZHANG, STRANGER)

    service.discard_batch(hr, batch_id)

    assert slips_of(session, batch_id) == []
    assert queries.list_held(hr, batch_id) == []
    assert queries.list_batches(hr).rows == []


# --- publishing -----------------------------------------------------------------------------


def test_publishing_makes_slips_visible_and_pushes_one_message_each(session, hr, queue):
    batch_id = read(hr, ZHANG, LI)
    queue.clear()

    service.publish_batch(hr, batch_id)

    batch = stored(session, batch_id)
    assert batch.status is BatchStatus.PUBLISHED
    assert len(batch.content_hash) == 64
    assert all(slip.published_at for slip in slips_of(session, batch_id))
    [(campaign_id,)] = queue.args(Job.PREPARE_CAMPAIGN)
    campaigns.prepare(campaign_id)
    written = {(push.subject_id, push.employee_id) for push in session.scalars(select(Push))}
    assert written == {(slip.id, slip.employee_id) for slip in slips_of(session, batch_id)}
    assert len(written) == 2


def test_a_message_names_no_person_and_no_amount(session, hr):
    service.publish_batch(hr, read(hr, ZHANG))

    [campaign] = session.scalars(select(Campaign)).all()
    said = str(campaign.params) + campaign.path + campaign.key
    assert campaign.params["period"] == "2026-03"
    assert "张三" not in said
    assert "5900" not in said


def test_publishing_twice_is_refused_and_sends_nothing(session, hr, queue):
    batch_id = read(hr, ZHANG)
    service.publish_batch(hr, batch_id)
    queue.clear()

    with pytest.raises(BatchAlreadyPublished):
        service.publish_batch(hr, batch_id)

    assert queue.count == 0


def test_held_rows_must_be_decided_first(session, hr):
    batch_id = read(hr, ZHANG, STRANGER)
    with pytest.raises(RowsStillHeld) as refusal:
        service.publish_batch(hr, batch_id)
    assert "1 行" in refusal.value.sentence

    service.leave_out(hr, *held_ids(hr, batch_id))
    service.publish_batch(hr, batch_id)

    assert len(slips_of(session, batch_id)) == 1


def test_a_batch_without_a_month_or_without_slips_is_not_published(hr):
    with pytest.raises(PeriodMissing):
        service.publish_batch(hr, read(hr, ZHANG, title="工资表"))
    empty = read(hr, STRANGER)
    service.leave_out(hr, *held_ids(hr, empty))
    with pytest.raises(NothingToPublish):
        service.publish_batch(hr, empty)


def test_without_an_official_account_nothing_is_published(session):
    make_employee("/lone/ent-1/", name="张三", phone="13800000001", emp_id="E-1", emp_no="001")
    hr = make_hr("/lone/ent-1/")
    batch_id = read(hr, ZHANG)

    with pytest.raises(NoticesNotOpen):
        service.publish_batch(hr, batch_id)

    assert stored(session, batch_id).status is BatchStatus.DRAFT


# --- who may --------------------------------------------------------------------------------


@pytest.mark.parametrize("org_path", ["/hq/bj/ent-2/", "/hq/", "/hq/bj/", "/hq/bj/ent-1/x/"])
def test_nobody_outside_the_enterprise_touches_its_payroll(hr, org_path):
    batch_id = read(hr, ZHANG, STRANGER)
    [held_id] = held_ids(hr, batch_id)
    stranger = make_hr(org_path)

    for attempt in (
        lambda: service.publish_batch(stranger, batch_id),
        lambda: service.discard_batch(stranger, batch_id),
        lambda: service.set_period(stranger, batch_id, "2026-03"),
        lambda: service.leave_out(stranger, held_id),
        lambda: service.restore_row(stranger, held_id),
        lambda: service.settle_row(stranger, held_id, {}),
    ):
        with pytest.raises((NotFound, NoticesNotOpen)):
            attempt()
    assert queries.list_held(stranger, batch_id) == []


def test_roles_without_the_permission_are_refused(hr):
    batch_id = read(hr, ZHANG)
    finance = make_user(ENTERPRISE, Role.FINANCE)

    for attempt in (
        lambda: service.upload_sheet(finance, b"x", "x.csv"),
        lambda: service.publish_batch(finance, batch_id),
        lambda: service.discard_batch(finance, batch_id),
        lambda: queries.get_batch(finance, batch_id),
        lambda: queries.list_recipients(finance, batch_id),
    ):
        with pytest.raises(Forbidden):
            attempt()
