"""Messages to many customers (企业群发): a task for members, who must confirm it.

https://developer.work.weixin.qq.com/document/path/92135
https://developer.work.weixin.qq.com/document/path/93338
"""

import calendar
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from sandbox.clock import CHINA_OFFSET, china_day, china_month
from sandbox.state import Json, MessageCap, Settings
from sandbox.wecom.call import OK, Call, page_of, sees
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import attachments, fields
from sandbox.wecom.external.contacts import contact_of
from sandbox.wecom.external_state import External, GroupMessage, Outcome, SendTask, Target
from sandbox.wecom.state import Follow

SINGLE, GROUP = "single", "group"
MOST_CUSTOMERS, MOST_CHATS, MOST_TAGS = 10_000, 2_000, 100
MOST_LISTED, USUAL_LISTED = 100, 50
MOST_ROWS, USUAL_ROWS = 1000, 500
LONGEST_DAYS = 31
MOST_REMINDERS = 3
OF_CORP, OF_MEMBER, OF_BOTH = 0, 1, 2
NOT_SENT, SENT = 0, 2  # a member's task
FIRST_MONDAY = 4  # 1 January 1970 was a Thursday


def add(call: Call) -> Json:
    kind = _kind(call.body, SINGLE)
    sender = call.member(call.body["sender"]).userid if call.body.get("sender") else ""
    content = attachments.content(call)
    select = _chats if kind == GROUP else _customers
    wanted, failed = select(call, sender)
    if not wanted:
        raise Refusal(41048)
    msgid = f"msg{secrets.token_hex(15)}"
    tasks = {
        userid.lower(): SendTask(userid, [Target(one) for one in targets])
        for userid, targets in wanted.items()
    }
    allow_select = fields.flag(call.body, "allow_select", default=False)
    call.corp.external.group_messages[msgid] = GroupMessage(
        msgid, call.account.name, kind, call.now, content, allow_select, tasks
    )
    return OK | {"fail_list": failed, "msgid": msgid}


def list_all(call: Call) -> Json:
    """Those made here are the corp's, without a creator; members' own ones there are none."""
    kind = _kind(call.body)
    start, end = fields.period(call.body, "start_time", "end_time", LONGEST_DAYS)
    wanted = fields.number(call.body, "filter_type", OF_BOTH, range(3))
    of_somebody = bool(fields.text(call.body, "creator")) or wanted == OF_MEMBER
    found = [
        {
            "msgid": one.msgid,
            "create_time": int(one.created_at),
            "create_type": OF_CORP,
            **one.content,
        }
        for one in call.corp.external.group_messages.values()
        if not of_somebody and one.chat_type == kind and start <= int(one.created_at) <= end
    ]
    limit = fields.limit(call.body, USUAL_LISTED, MOST_LISTED)
    page, cursor = page_of(found, call.body.get("cursor"), limit)
    return OK | {"group_msg_list": page} | ({"next_cursor": cursor} if cursor else {})


def tasks(call: Call) -> Json:
    rows = [_task(one) for one in _message(call).tasks.values() if sees(call.account, one.userid)]
    limit = fields.limit(call.body, USUAL_ROWS, MOST_ROWS)
    page, cursor = page_of(rows, call.body.get("cursor"), limit)
    return OK | {"task_list": page} | ({"next_cursor": cursor} if cursor else {})


def results(call: Call) -> Json:
    message = _message(call)
    task = message.tasks.get(call.member(call.body.get("userid")).userid.lower())
    rows = _rows(message, [task] if task else [])
    limit = fields.limit(call.body, USUAL_ROWS, MOST_ROWS)
    page, cursor = page_of(rows, call.body.get("cursor"), limit)
    return OK | {"send_list": page} | ({"next_cursor": cursor} if cursor else {})


def results_of_old(call: Call) -> Json:
    """The interface of 2020, of all members at once. Clients of that time still ask it."""
    message = _message(call)
    rows = _rows(message, message.tasks.values())
    limit = fields.limit(call.body, USUAL_ROWS, MOST_ROWS)
    page, cursor = page_of(rows, call.body.get("cursor"), limit)
    answer: Json = OK | {"check_status": 0, "detail_list": page}
    return answer | ({"next_cursor": cursor} if cursor else {})


def remind(call: Call) -> Json:
    message = _message(call)
    recent = [at for at in message.reminders if at > call.now - fields.DAY]
    if len(recent) >= MOST_REMINDERS:
        raise Refusal(45009)
    message.reminders = [*recent, call.now]
    return OK


def cancel(call: Call) -> Json:
    _message(call).is_cancelled = True
    return OK


def has_enough(external: External, settings: Settings, target: str, now: float) -> bool:
    """Whether the customer got as many group messages as one may get in this time."""
    received = external.receipts.get(target, ())
    cap = settings.group_message_cap
    if cap is MessageCap.ONE_A_DAY:
        return any(china_day(at) == china_day(now) for at in received)
    if cap is MessageCap.SEVEN_A_WEEK:
        return sum(_week(at) == _week(now) for at in received) >= 7
    this_month = sum(china_month(at) == china_month(now) for at in received)
    return this_month >= (4 if cap is MessageCap.FOUR_A_MONTH else _days_in_month(now))


def _week(instant: float) -> int:
    return (china_day(instant) - FIRST_MONDAY) // 7


def _days_in_month(instant: float) -> int:
    there = datetime.fromtimestamp(instant + CHINA_OFFSET, UTC)
    return calendar.monthrange(there.year, there.month)[1]


# Who writes to whom


def _customers(call: Call, sender: str) -> tuple[dict[str, list[str]], list[str]]:
    """Each customer goes to the member who last had to do with them. What is said twice, as ids
    and as tags, must hold both."""
    given = fields.texts(call.body, "external_userid", MOST_CUSTOMERS)
    tag_groups = _tag_groups(call.body)
    if not (given or tag_groups or sender):
        raise Refusal(40063, detail="external_userid, tag_filter and sender")
    best: dict[str, Follow] = {}
    for follow in _follows(call, sender):
        other = best.get(follow.external_userid)
        if _bears(follow, tag_groups) and (other is None or other.touched_at <= follow.touched_at):
            best[follow.external_userid] = follow
    asked = given or list(best)
    external, settings = call.corp.external, call.account.settings
    failed = [
        one for one in asked if one not in best or has_enough(external, settings, one, call.now)
    ]
    if given and failed == given:
        contact_of(call, given[0])  # all wrong: it matters whether there is such a person
    wanted: dict[str, list[str]] = {}
    for one in asked:
        if one not in failed:
            wanted.setdefault(best[one].userid, []).append(one)
    return wanted, failed


def _chats(call: Call, sender: str) -> tuple[dict[str, list[str]], list[str]]:
    if not sender:
        raise Refusal(40063, detail="sender")
    given = fields.texts(call.body, "chat_id_list", MOST_CHATS)
    mine = [
        one.chat_id
        for one in call.corp.group_chats.values()
        if one.owner.lower() == sender.lower() and not one.is_dismissed
    ]
    external, settings = call.corp.external, call.account.settings
    asked = given or mine
    failed = [
        one for one in asked if one not in mine or has_enough(external, settings, one, call.now)
    ]
    wanted = [one for one in asked if one not in failed]
    return ({sender: wanted} if wanted else {}), failed


def _follows(call: Call, sender: str) -> Iterable[Follow]:
    for userid, mine in call.corp.follows.items():
        is_asked = userid == sender.lower() if sender else sees(call.account, userid)
        if is_asked and userid in call.corp.members:
            yield from (one for one in mine.values() if not one.lost_at)


def _tag_groups(body: Json) -> list[set[str]]:
    """A customer must bear one tag of each group."""
    given = fields.inside(body, "tag_filter").get("group_list") or []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise fields.bad("tag_filter")
    return [set(fields.texts(one, "tag_list", MOST_TAGS)) for one in given]


def _bears(follow: Follow, tag_groups: list[set[str]]) -> bool:
    return all(group & set(follow.tag_ids) for group in tag_groups)


# What is shown


def _message(call: Call) -> GroupMessage:
    msgid = fields.needed(call.body, "msgid", 41046)
    message = call.corp.external.group_messages.get(msgid)
    if message is None:
        raise Refusal(41047)
    if is_on_its_way(message, call.account.settings, call.now):
        raise Refusal(41063)
    return message


def is_on_its_way(message: GroupMessage, settings: Settings, now: float) -> bool:
    """The members have no task yet."""
    return now < message.created_at + settings.dispatch_seconds


def _task(one: SendTask) -> Json:
    if not one.sent_at:
        return {"userid": one.userid, "status": NOT_SENT}
    return {"userid": one.userid, "status": SENT, "send_time": int(one.sent_at)}


def _rows(message: GroupMessage, of: Iterable[SendTask]) -> list[Json]:
    name = "chat_id" if message.chat_type == GROUP else "external_userid"
    return [
        {name: target.id, "userid": task.userid, "status": int(target.outcome)}
        | ({"send_time": int(target.at)} if target.outcome is Outcome.SENT else {})
        for task in of
        for target in task.targets
    ]


def _kind(body: Json, default: str = "") -> str:
    kind = fields.text(body, "chat_type") or default
    if kind not in {SINGLE, GROUP}:
        raise fields.bad("chat_type")
    return kind
