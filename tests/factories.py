"""Rows with sane defaults, written as the services would write them."""

import itertools
import json
import secrets
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from core.clock import utc_now
from core.db import transaction
from core.money import Fen
from core.security import blind_index, seal
from domain.directory.access import ROLE_PERMISSIONS, Actor, ActorKind, Role
from domain.directory.accounts import CallbackMode, ChannelAccountCredentials, ChannelKind
from domain.directory.channel_accounts import (
    AES_KEY,
    SECRET,
    TOKEN,
    channel_account,
    new_template,
)
from domain.directory.models import (
    ID_NO,
    PERSONAL,
    PHONE,
    ChannelAccount,
    Employee,
    EmployeeBinding,
    Identity,
    Org,
    OrgKind,
    User,
    UserRole,
)
from domain.payroll import slips
from domain.payroll.models import (
    QUESTION,
    SLIP,
    Author,
    BatchStatus,
    PayrollBatch,
    Payslip,
    PayslipQuestion,
    QuestionMessage,
    QuestionStatus,
)
from domain.payroll.sheets.report import AcceptedRow, Item
from domain.pushes.models import (
    Campaign,
    CampaignStatus,
    MessageKind,
    Push,
    PushStatus,
    Route,
    Urgency,
)
from domain.pushes.policy import EXPIRES_AFTER, LADDERS, URGENCIES

ENTERPRISE = "/hq/bj/ent-1/"
FAMILY_NAMES = "张王李赵刘陈杨黄周吴"
GIVEN_NAMES = ("伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "洋")

_numbers = itertools.count(1)


def make_org(org_path: str = ENTERPRISE, *, kind: OrgKind | None = None, name: str = "") -> Org:
    """The organisation at ``org_path``, made with all that it hangs under when it is missing."""
    parts = org_path.strip("/").split("/")
    with transaction() as session:
        for depth in range(1, len(parts) + 1):
            path = "/" + "/".join(parts[:depth]) + "/"
            org = session.scalar(select(Org).where(Org.org_path == path))
            if org is None:
                is_leaf = depth == len(parts)
                org = Org(
                    org_path=path,
                    kind=(kind if is_leaf else None) or _usual_kind(depth, parts[depth - 1]),
                    name=(name if is_leaf else "") or f"机构{parts[depth - 1]}",
                    created_at=utc_now(),
                )
                session.add(org)
    assert org is not None
    return org


def _usual_kind(depth: int, slug: str) -> OrgKind:
    if slug.startswith("ent"):
        return OrgKind.ENTERPRISE
    return (OrgKind.UNION, OrgKind.BANK, OrgKind.BRANCH, OrgKind.OUTLET)[min(depth, 4) - 1]


def make_user(org_path: str = ENTERPRISE, *roles: Role, name: str = "周敏") -> Actor:
    """A stored user of the workbench, as the guard would let them in."""
    make_org(org_path)
    with transaction() as session:
        user = User(org_path=org_path, name=name, created_at=utc_now())
        session.add(user)
        session.flush()
        session.add_all(UserRole(user_id=user.id, role=role) for role in roles)
    permissions = frozenset().union(*(ROLE_PERMISSIONS[role] for role in roles))
    return Actor(ActorKind.USER, user.id, org_path, permissions, name=name)


def make_hr(org_path: str = ENTERPRISE, *, name: str = "周敏") -> Actor:
    return make_user(org_path, Role.HR, name=name)


def make_operator(org_path: str = "/hq/", *, name: str = "吴强") -> Actor:
    return make_user(org_path, Role.BANK_OPERATIONS, name=name)


def make_employee(
    org_path: str = ENTERPRISE,
    *,
    name: str = "",
    phone: str | None = None,
    id_no: str | None = None,
    bank_card: str = "6222021001123457890",
    emp_id: str = "",
    emp_no: str = "",
    department: str = "生产部",
    joined_on: date | None = date(2024, 3, 1),
    left_on: date | None = None,
) -> Employee:
    """Pass ``phone=""`` or ``id_no=""`` for somebody whose roster row lacks it."""
    make_org(org_path)
    number = next(_numbers)
    phone = f"138{number:08d}" if phone is None else phone
    id_no = _id_no(number) if id_no is None else id_no
    personal = {"phone": phone, "id_no": id_no, "bank_card": bank_card}
    with transaction() as session:
        employee = Employee(
            org_path=org_path,
            emp_id=emp_id or f"E-{number}",
            emp_no=emp_no or f"{number:06d}",
            name=name or _name(number),
            department=department,
            personal_sealed=seal(PERSONAL, json.dumps(personal)),
            phone_index=blind_index(PHONE, phone) if phone else None,
            id_no_index=blind_index(ID_NO, id_no) if id_no else None,
            joined_on=joined_on,
            left_on=left_on,
            created_at=utc_now(),
            updated_at=utc_now(),
        )
        session.add(employee)
    return employee


def make_employees(count: int, org_path: str = ENTERPRISE, **fields: Any) -> list[Employee]:
    return [make_employee(org_path, **fields) for _ in range(count)]


def _name(number: int) -> str:
    return FAMILY_NAMES[number % 10] + GIVEN_NAMES[number // 10 % 10]


def _id_no(number: int) -> str:
    """An ID number with a right check digit (GB 11643)."""
    body = f"110101{19700101 + number % 28:08d}{number % 1000:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    remainder = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11
    return body + "10X98765432"[remainder]


def make_channel_account(
    org_path: str = "/hq/",
    *,
    kind: ChannelKind = ChannelKind.OFFICIAL_ACCOUNT,
    name: str = "",
    appid: str = "",
    agentid: str | None = None,
    secret: str = "5ecre7-0f-the-account",
    token: str = "spamtest",
    aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    mode: CallbackMode = CallbackMode.SAFE,
    templates: dict[str, str] | None = None,
    is_enabled: bool = True,
) -> ChannelAccountCredentials:
    """A stored channel account, as the gatehouse gets it."""
    make_org(org_path)
    number = next(_numbers)
    with transaction() as session:
        account = ChannelAccount(
            org_path=org_path,
            kind=kind,
            name=name or f"account-{number}",
            title="测试公众号",
            appid=appid or f"wx{number:016x}",
            agentid=agentid,
            mode=mode,
            secret_sealed=seal(SECRET, secret),
            token_sealed=seal(TOKEN, token),
            aes_key_sealed=seal(AES_KEY, aes_key),
            templates={},
            is_enabled=True,
            created_at=utc_now(),
        )
        session.add(account)
        session.flush()
        if templates is None:
            templates = {one.value: f"template-{one.value}" for one in MessageKind}
        for message, template_id in templates.items():
            template = new_template(account, template_id)
            template.kind = message
            session.add(template)
    credentials = channel_account(account.id)
    if not is_enabled:
        with transaction() as session:
            session.get_one(ChannelAccount, account.id).is_enabled = False
    return credentials


def make_identity(
    account: ChannelAccountCredentials, *, openid: str = "", is_follower: bool = True
) -> Identity:
    with transaction() as session:
        identity = Identity(
            org_path=account.org_path,
            channel_account_id=account.id,
            openid=openid or f"o{secrets.token_urlsafe(20)}",
            is_follower=is_follower,
            created_at=utc_now(),
            updated_at=utc_now(),
        )
        session.add(identity)
    return identity


def make_binding(
    employee: Employee, account: ChannelAccountCredentials, identity: Identity | None = None
) -> Identity:
    """Bind ``employee`` to a WeChat (a new one unless given); the WeChat's identity."""
    identity = identity or make_identity(account)
    with transaction() as session:
        session.add(
            EmployeeBinding(
                org_path=employee.org_path,
                channel_account_id=account.id,
                identity_id=identity.id,
                employee_id=employee.id,
                bound_at=utc_now(),
            )
        )
    return identity


def make_campaign(
    account: ChannelAccountCredentials,
    *,
    org_path: str = ENTERPRISE,
    kind: MessageKind = MessageKind.PAYSLIP_READY,
    key: str = "",
    params: dict[str, str] | None = None,
    path: str = "/me/payslips/{}",
    status: CampaignStatus = CampaignStatus.RUNNING,
    **fields: Any,
) -> Campaign:
    """A campaign in any state, all of whose pushes are written; no job is enqueued for it."""
    make_org(org_path)
    now = utc_now()
    defaults = {
        "audience": None,
        "audience_id": None,
        # As without a gateway for text messages.
        "ladder": [route.value for route in LADDERS[kind] if route is not Route.SMS],
        "nonce": secrets.token_hex(6),
        "urgency": URGENCIES.get(kind, Urgency.BULK),
        "prepared_at": now,
        "created_at": now,
        "starts_at": now,
        "expires_at": fields.get("starts_at", now) + EXPIRES_AFTER,
    }
    with transaction() as session:
        campaign = Campaign(
            org_path=org_path,
            channel_account_id=account.id,
            kind=kind,
            key=key or f"payroll:{next(_numbers)}",
            params=params or {"enterprise": "机构ent-1", "period": "2026-03"},
            path=path,
            status=status,
            **defaults | fields,
        )
        session.add(campaign)
    return campaign


def make_push(
    employee: Employee,
    account: ChannelAccountCredentials,
    *,
    campaign: Campaign | None = None,
    key: str = "",
    kind: MessageKind = MessageKind.PAYSLIP_READY,
    status: PushStatus = PushStatus.CREATED,
    **fields: Any,
) -> Push:
    """A ledger row in any state: of ``campaign``, else of the one with ``key``, made when there is
    none (without a key: of its own)."""
    with transaction() as session:
        found = campaign or session.scalar(select(Campaign).where(Campaign.key == key))
    found = found or make_campaign(account, org_path=employee.org_path, kind=kind, key=key)
    with transaction() as session:
        push = Push(
            campaign_id=found.id,
            employee_id=employee.id,
            status=status,
            **{"subject_id": next(_numbers), "route": Route(found.ladder[0])} | fields,
        )
        session.add(push)
        session.flush()
        stored = session.get_one(Campaign, found.id)
        stored.total_count += 1
        stored.fed_to = stored.last_id = push.id
    return push


# A small slip: earnings, deductions and their totals, one line of zero, one without an amount.
ITEMS = (
    Item("基本工资", "", "earning", "6000", 600000),
    Item("绩效工资", "", "earning", "1800", 180000),
    Item("高温补贴", "", "earning", "0", 0),
    Item("应发合计", "", "total", "7800", 780000),
    Item("养老保险", "", "deduction", "624", 62400),
    Item("个人所得税", "", "deduction", "55.5", 5550),
    Item("出勤", "", "info", "22天", None),
)


def make_batch(
    org_path: str = ENTERPRISE,
    *,
    period: str = "2026-03",
    status: BatchStatus = BatchStatus.PUBLISHED,
    payslips: int = 0,
    **fields: Any,
) -> PayrollBatch:
    """A payroll in any state, with ``payslips`` slips of new employees."""
    make_org(org_path)
    with transaction() as session:
        batch = PayrollBatch(
            org_path=org_path,
            period=period,
            status=status,
            file_name="工资表.xlsx",
            file_key=f"payroll/{next(_numbers)}",
            created_at=utc_now(),
            created_by=0,
            published_at=utc_now() if status is BatchStatus.PUBLISHED else None,
            **fields,
        )
        session.add(batch)
    for _ in range(payslips):
        make_payslip(make_employee(org_path), batch)
    return batch


def make_payslip(
    employee: Employee,
    batch: PayrollBatch | None = None,
    *,
    period: str = "2026-03",
    net_fen: int = 712050,
    items: tuple[Item, ...] = ITEMS,
    read_at: datetime | None = None,
    confirmed_at: datetime | None = None,
) -> Payslip:
    """A slip in ``batch``, published when that is (without one: in a published one of its own)."""
    batch = batch or make_batch(employee.org_path, period=period)
    row = AcceptedRow("工资表", 4, employee.emp_id, Fen(net_fen), items, ("phone", "name"))
    with transaction() as session:
        payslip = Payslip(
            org_path=employee.org_path,
            batch_id=batch.id,
            employee_id=employee.id,
            content_sealed=seal(SLIP, slips.pack(row)),
            published_at=batch.published_at,
            read_at=read_at,
            confirmed_at=confirmed_at,
        )
        session.add(payslip)
    return payslip


def make_question(
    payslip: Payslip, text: str = "这一项怎么算的？", *, item: int | None = None, answer: str = ""
) -> PayslipQuestion:
    """A question of the slip's employee, answered when ``answer`` is given."""
    with transaction() as session:
        question = PayslipQuestion(
            org_path=payslip.org_path,
            payslip_id=payslip.id,
            employee_id=payslip.employee_id,
            item=item,
            status=QuestionStatus.ANSWERED if answer else QuestionStatus.OPEN,
            created_at=utc_now(),
            answered_at=utc_now() if answer else None,
        )
        session.add(question)
        session.flush()
        said = (
            ((Author.EMPLOYEE, text), (Author.HR, answer)) if answer else ((Author.EMPLOYEE, text),)
        )
        session.add_all(
            QuestionMessage(
                org_path=payslip.org_path,
                question_id=question.id,
                author=author,
                author_id=0,
                body_sealed=seal(QUESTION, body),
                created_at=utc_now(),
            )
            for author, body in said
        )
    return question
