"""Approvals: those of the engine that pages start, and those of WeCom's own approval app.

https://developer.work.weixin.qq.com/document/path/90269
https://developer.work.weixin.qq.com/document/path/91853
"""

from collections.abc import Callable

from sandbox.clock import china_month
from sandbox.state import Json
from sandbox.wecom.call import OK, Call, number_in, page_of
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import fields
from sandbox.wecom.external_state import Approval, ApprovalTemplate
from sandbox.wecom.state import Member

WRONG = 301025
MOST_PER_PAGE, LONGEST_DAYS = 100, 31
SUMMARY_LINES, LONGEST_SUMMARY = 3, 20
CONTROLS = frozenset(
    {
        *("Text", "Textarea", "Number", "Money", "Date", "DateRange", "Selector"),
        *("Contact", "Tips", "File", "Table"),
    }
)
STANDARD = ApprovalTemplate(
    "3WJEcUsFkZ8sTf1qYMtxQ2bHnPvDaLrGuKoE9",
    "用款申请",
    [
        {"control": "Text", "id": "Text-1", "title": "事由", "require": 1},
        {"control": "Money", "id": "Money-1", "title": "金额", "require": 1},
        {"control": "Date", "id": "Date-1", "title": "用款日期", "require": 0},
    ],
)
FILTERS: dict[str, Callable[[Approval], str]] = {
    "template_id": lambda one: one.template_id,
    "creator": lambda one: one.userid,
    "department": lambda one: str(one.department),
    "sp_status": lambda one: str(one.status),
}


def engine(call: Call) -> Json:
    """One that a page of ours began; known once something happened to it."""
    number = fields.needed(call.body, "thirdNo", WRONG)
    info = call.corp.external.engine_approvals.get(number)
    if info is None:
        raise Refusal(WRONG)
    shown = {name: value for name, value in info.items() if name != "OpenSpStatus"}
    # The callback spells it OpenSpStatus.
    return OK | {"data": shown | {"OpenSpstatus": info["OpenSpStatus"]}}


def template(call: Call) -> Json:
    found = _template(call, fields.needed(call.body, "template_id", WRONG))
    controls = [
        {
            "property": {
                "control": one["control"],
                "id": one["id"],
                "title": [_text(one["title"])],
                "placeholder": [_text("")],
                "require": int(one.get("require", 0)),
                "un_print": 0,
            },
            "config": {},
        }
        for one in found.controls
    ]
    names = [_text(found.name)]
    return OK | {"template_names": names, "template_content": {"controls": controls}}


def apply(call: Call) -> Json:
    member = call.member(call.body.get("creator_userid"))
    found = _template(call, fields.needed(call.body, "template_id", WRONG))
    given = fields.inside(call.body, "apply_data")
    _check_contents(found, given.get("contents"))
    _check_summary(call.body.get("summary_list"))
    by_template = fields.number(call.body, "use_template_approver", 0, range(2))
    if not by_template and not (call.body.get("approver") or call.body.get("process")):
        raise Refusal(WRONG, detail="approver")
    number = f"{china_month(call.now).replace('-', '')}{call.world.next_id():08d}"
    call.corp.external.approvals[number] = Approval(
        sp_no=number,
        name=found.name,
        template_id=found.template_id,
        userid=member.userid,
        department=_department(call, member),
        applied_at=call.now,
        apply_data=given,
    )
    return OK | {"sp_no": number}


def numbers(call: Call) -> Json:
    """The page is asked for by ``new_cursor``, by older clients by the number ``cursor``."""
    start, end = _period(call.body)
    filters = _filters(call.body)
    found = [
        one.sp_no
        for one in call.corp.external.approvals.values()
        if start <= int(one.applied_at) <= end
        and all(FILTERS[key](one) == value for key, value in filters)
    ]
    size = fields.number(call.body, "size", MOST_PER_PAGE, range(1, MOST_PER_PAGE + 1))
    asked = call.body.get("new_cursor") or call.body.get("cursor")
    page, cursor = page_of(found, asked, size)
    answer: Json = OK | {"sp_no_list": page}
    if "new_cursor" in call.body:
        return answer | ({"new_next_cursor": cursor} if cursor else {})
    return answer | ({"next_cursor": number_in(cursor)} if cursor else {})


def detail(call: Call) -> Json:
    number = fields.needed(call.body, "sp_no", WRONG)
    one = call.corp.external.approvals.get(number)
    if one is None:
        raise Refusal(WRONG)
    info = {
        "sp_no": one.sp_no,
        "sp_name": one.name,
        "sp_status": one.status,
        "template_id": one.template_id,
        "apply_time": int(one.applied_at),
        "applyer": {"userid": one.userid, "partyid": str(one.department)},
        "sp_record": one.record,
        "notifyer": [],
        "apply_data": one.apply_data,
        "comments": [],
    }
    return OK | {"info": info}


def _template(call: Call, template_id: str) -> ApprovalTemplate:
    known = {STANDARD.template_id: STANDARD} | call.corp.external.approval_templates
    if template_id not in known:
        raise Refusal(WRONG, detail="template_id")
    return known[template_id]


def _check_contents(found: ApprovalTemplate, contents: object) -> None:
    """Every control that must be filled in is, and none is unknown."""
    if not isinstance(contents, list):
        raise Refusal(WRONG, detail="apply_data")
    known = {(one["control"], one["id"]) for one in found.controls}
    given = set()
    for one in contents:
        if not isinstance(one, dict) or not isinstance(one.get("value"), dict):
            raise Refusal(WRONG, detail="contents")
        given.add((str(one.get("control")), str(one.get("id"))))
    required = {(one["control"], one["id"]) for one in found.controls if one.get("require")}
    if not given <= known or not required <= given:
        raise Refusal(WRONG, detail="contents")


def _check_summary(lines: object) -> None:
    if not isinstance(lines, list) or not 0 < len(lines) <= SUMMARY_LINES:
        raise Refusal(WRONG, detail="summary_list")
    for line in lines:
        info = line.get("summary_info") if isinstance(line, dict) else None
        texts = [one.get("text") for one in info or [] if isinstance(one, dict)]
        if not texts or any(
            not isinstance(one, str) or len(one) > LONGEST_SUMMARY for one in texts
        ):
            raise Refusal(WRONG, detail="summary_list")


def _period(body: Json) -> tuple[int, int]:
    """Instants come as texts here."""
    try:
        return fields.period(body, "starttime", "endtime", LONGEST_DAYS)
    except Refusal as refusal:
        raise Refusal(WRONG, detail="starttime and endtime") from refusal


def _filters(body: Json) -> list[tuple[str, str]]:
    given = body.get("filters") or []
    if not isinstance(given, list):
        raise Refusal(WRONG, detail="filters")
    found = []
    for one in given:
        key = one.get("key") if isinstance(one, dict) else None
        if not isinstance(key, str) or key not in FILTERS:
            raise Refusal(WRONG, detail="filters")
        found.append((key, str(one.get("value"))))
    return found


def _department(call: Call, member: Member) -> int:
    given = call.body.get("choose_department")
    if given is None:
        return member.departments[0] if member.departments else 1
    return call.department(given).id


def _text(text: str) -> Json:
    return {"text": text, "lang": "zh_CN"}
