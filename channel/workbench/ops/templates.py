"""Which template carries which of our messages, and how a message would reach a chosen person."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from flask import flash, g, render_template
from flask.typing import ResponseReturnValue
from pydantic import BeforeValidator, Field

from channel.checkup.findings import KIND_WORDS
from channel.message_texts import TITLES, compose, in_brief, in_words, keys_of
from channel.setup import read_templates
from channel.template_fields import FieldRefused
from channel.wechat.errors import WeChatError, WeChatUnreachable
from channel.workbench.desk import Cursor, Form, desk_room, query_of, see_other, sentences
from channel.workbench.pushes import KINDS
from core.clock import business_date, utc_now
from core.errors import DomainError, NotFound
from core.security import mask_name
from domain.directory.access import Actor, Permission
from domain.directory.accounts import ChannelKind
from domain.directory.channel_accounts import (
    AccountRow,
    channel_account,
    list_channel_accounts,
    official_account_for,
    title_of,
)
from domain.directory.message_templates import (
    TemplateRow,
    TemplatesSynced,
    find_template,
    list_templates,
)
from domain.pushes.models import MessageKind, Route
from domain.pushes.previews import (
    Person,
    Reach,
    Step,
    StepState,
    find_people,
    get_person,
    get_reach,
)
from domain.pushes.queries import reason_in_words

bp = desk_room("templates", "/templates")

ROUTES = {
    Route.TEMPLATE: "公众号模板消息",
    Route.MINIPROGRAM: "小程序订阅消息",
    Route.WECOM: "企业微信消息",
    Route.SMS: "短信",
}
# Where a tap leads, after the entrance has asked WeChat who taps.
PAGES = {
    MessageKind.PAYSLIP_READY: "这一份工资条",
    MessageKind.PAYSLIP_REMINDER: "这一份工资条",
    MessageKind.QUESTION_ANSWERED: "这次提问和回复",
}
LIBRARIES = {
    ChannelKind.OFFICIAL_ACCOUNT: "公众平台“模板消息”的模板库",
    ChannelKind.MINIPROGRAM: "小程序后台“订阅消息”的公共模板库",
}
STEP_STATES = {
    StepState.READY: ("可以发", "ok"),
    StepState.NOT_FOLLOWING: ("没有关注", "warn"),
    StepState.REFUSED: ("发不到", "danger"),
    StepState.NOT_BOUND: ("没有绑定", ""),
    StepState.NO_TEMPLATE: ("没有模板", "danger"),
    StepState.NO_PHONE: ("没有手机号", ""),
    StepState.NO_ACCOUNT: ("没有账号", ""),
    StepState.SWITCHED_OFF: ("没有开通", ""),
}
STEP_WORDS = {
    StepState.NOT_FOLLOWING: "会试一次；微信若退回，就走下一步",
    StepState.NOT_BOUND: "这个人没有在这个账号里绑定",
    StepState.NO_TEMPLATE: "账号里没有能用的模板，会走下一步",
    StepState.NO_PHONE: "花名册里没有手机号",
    StepState.NO_ACCOUNT: "这家单位用不到这类账号",
    StepState.SWITCHED_OFF: "没有配置短信网关",
}


# --- which template carries which message ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """How one of our messages stands at one account."""

    message: str
    title: str
    state: str
    tone: str
    says: str
    advice: str


@dataclass(frozen=True, slots=True)
class AccountTemplates:
    """``others`` carry nothing of ours. ``synced_at`` is None while nothing was ever read."""

    row: AccountRow
    kind: str
    lines: Sequence[Line]
    others: Sequence[TemplateRow]
    synced_at: datetime | None

    @property
    def lacks(self) -> int:
        return sum(line.tone == "danger" for line in self.lines)


@bp.get("")
def index() -> ResponseReturnValue:
    actor: Actor = g.actor
    stored = list_templates(actor)
    accounts = [
        _account(row, [one for one in stored if one.channel_account_id == row.id])
        for row in list_channel_accounts(actor)
        if row.kind in LIBRARIES and row.is_enabled
    ]
    return render_template(
        "ops/templates/index.html",
        accounts=accounts,
        lacks=sum(account.lacks for account in accounts),
        may_sync=actor.may(Permission.ACCOUNTS_WRITE),
    )


def _account(row: AccountRow, stored: Sequence[TemplateRow]) -> AccountTemplates:
    read = [one.synced_at for one in stored if one.fields]
    return AccountTemplates(
        row=row,
        kind=KIND_WORDS[row.kind],
        lines=[_line(row, kind, stored) for kind in MessageKind],
        others=[one for one in stored if one.title not in TITLES.values() and not one.removed_at],
        synced_at=max(read, default=None),
    )


def _line(account: AccountRow, kind: MessageKind, stored: Sequence[TemplateRow]) -> Line:
    alike = [one for one in stored if one.title == TITLES[kind]]
    here = [one for one in alike if not one.removed_at]
    used = next((one for one in stored if one.kind == kind and not one.removed_at), None)
    again = "，再点“立即同步”"
    fields = "、".join(sorted(keys_of(kind), key=_number))
    add = f"在{LIBRARIES[account.kind]}选用“{TITLES[kind]}”，字段为 {fields}{again}"
    match used, here, alike:
        case TemplateRow(fields=()), _, _:
            told = "没有核对", "warn", f"编号 {used.template_id}，还没有从微信读过", "点“立即同步”"
        case TemplateRow(), _, _:
            told = "已就绪", "ok", f"编号 {used.template_id}", ""
        case None, [wrong, *_], _:
            told = "字段对不上", "danger", _mismatch(wrong), f"删掉这个模板，{add}"
        case None, _, [_, *_]:
            told = "已被删除", "danger", "这个模板在微信那边已经没有了", add
        case _:
            told = "没有模板", "danger", "账号里没有这条消息的模板", add
    return Line(KINDS[kind], TITLES[kind], *told)


def _mismatch(wrong: TemplateRow) -> str:
    now = f"现在是 {'、'.join(wrong.keys)}"
    if not wrong.former_keys:
        return f"模板的字段{now}"
    return f"模板的字段变了：原来是 {'、'.join(wrong.former_keys)}，{now}"


def _number(key: str) -> tuple[int, str]:
    digits = key.removeprefix(key.rstrip("0123456789"))
    return int(digits or 0), key


@bp.post("/<int:account_id>/sync")
def sync(account_id: int) -> ResponseReturnValue:
    actor: Actor = g.actor
    actor.require(Permission.ACCOUNTS_WRITE)
    seen = [row for row in list_channel_accounts(actor) if row.id == account_id and row.is_enabled]
    if not seen:
        raise NotFound
    with sentences():
        try:
            _say_synced(seen[0], read_templates(actor, channel_account(account_id)))
        except (WeChatError, WeChatUnreachable) as error:
            flash(error.sentence, "error")
    return see_other(".index")


def _say_synced(row: AccountRow, synced: TemplatesSynced) -> None:
    flash(f"{row.title}：读到 {synced.count} 个模板", "ok")
    for titles, what in ((synced.changed, "字段变了"), (synced.removed, "已被删除")):
        if named := "、".join(title for title in titles if title):
            flash(f"{what}：{named}", "warn")


# --- a message, as one person would get it --------------------------------------------------


def _blank_is_none(value: object) -> object:
    return value or None


class PreviewQuery(Form):
    kind: MessageKind = MessageKind.PAYSLIP_READY
    who: str = Field(default="", max_length=50)
    employee_id: Annotated[Cursor | None, BeforeValidator(_blank_is_none)] = None


@dataclass(frozen=True, slots=True)
class CardField:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Card:
    """A message as WeChat shows it; ``fault`` says why it would not be sent."""

    sender: str
    title: str
    fields: Sequence[CardField]
    has_link: bool
    fault: str = ""


@dataclass(frozen=True, slots=True)
class StepLine:
    name: str
    state: str
    tone: str
    says: str
    is_next: bool


@dataclass(frozen=True, slots=True)
class Preview:
    card: Card | None
    text: str
    steps: Sequence[StepLine]
    route: str
    tap: str


@bp.get("/preview")
def preview() -> ResponseReturnValue:
    actor: Actor = g.actor
    query = query_of(PreviewQuery)
    person = None if query.employee_id is None else get_person(actor, query.employee_id)
    people = [] if person else find_people(actor, query.who)
    shown, refusal = None, ""
    if person:
        try:
            shown = _preview(actor, person, query.kind)
        except DomainError as error:
            refusal = error.sentence
    return render_template(
        "ops/templates/preview.html",
        query=query,
        kinds=[(kind.value, words) for kind, words in KINDS.items()],
        people=people,
        person=person,
        preview=shown,
        refusal=refusal,
        name=_namer(actor),
    )


def _namer(actor: Actor) -> Callable[[str], str]:
    """The roster is not operations': they see who it is, not the whole name."""
    return str if actor.may(Permission.ROSTER_READ) else mask_name


def _preview(actor: Actor, person: Person, kind: MessageKind) -> Preview:
    account = official_account_for(person.org_path)
    reach = get_reach(actor, person.id, kind, account.id)
    # As the campaign would fill it: nothing personal, no amount.
    params = {"enterprise": person.enterprise, "period": f"{business_date():%Y-%m}"}
    step = reach.next
    text = ""
    match step:
        case Step(route=Route.WECOM):
            text = in_words(kind, params, utc_now(), number=1)
        case Step(route=Route.SMS):
            text = in_brief(kind, params, title_of(account.id))
    shown_at = step.account_id if step and step.route is Route.MINIPROGRAM else account.id
    card = None if text else _card(shown_at or account.id, kind, params, step)
    return Preview(
        card=card,
        text=text,
        steps=list(_steps(reach)),
        route=ROUTES[step.route] if step else "",
        tap=_tap(kind, step),
    )


def _card(account_id: int, kind: MessageKind, params: dict[str, str], step: Step | None) -> Card:
    template = find_template(account_id, kind.value)
    labels = {field.key: field.label for field in template.fields} if template else {}
    fault = "" if template else "这个账号没有能用的模板，消息不会发出"
    fields = []
    try:
        values = compose(kind, params, utc_now(), template.choices if template else {})
        fields = [CardField(labels.get(key, ""), value) for key, value in values.items()]
    except FieldRefused as refused:
        fault = refused.sentence
    has_link = step is None or step.route is Route.TEMPLATE
    return Card(title_of(account_id), TITLES[kind], fields, has_link, fault)


def _steps(reach: Reach) -> Iterator[StepLine]:
    for step in reach.steps:
        state, tone = STEP_STATES[step.state]
        says = STEP_WORDS.get(step.state, "")
        if step.state is StepState.REFUSED:
            says = f"微信以前说过：{reason_in_words(step.reason)}"
        elif step.is_next and step.state is StepState.READY:
            says = "现在会走这一步"
        yield StepLine(ROUTES[step.route], state, tone, says, step.is_next)


def _tap(kind: MessageKind, step: Step | None) -> str:
    match step:
        case None | Step(route=Route.TEMPLATE):
            return f"先由微信确认是谁在点，再打开{PAGES[kind]}"
        case Step(route=Route.MINIPROGRAM):
            return "打开小程序首页"
        case _:
            return "没有链接，消息请对方到公众号里查看"
