"""What members did with their contacts, day by day, counted from what happened in the sandbox.

https://developer.work.weixin.qq.com/document/path/92132
"""

from sandbox.clock import CHINA_OFFSET, china_day
from sandbox.state import Json, Message
from sandbox.wecom import chats, corps
from sandbox.wecom.call import OK, Call
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import fields

MOST = 100
MOST_DAYS, MOST_DAYS_BACK = 30, 180
MINUTE, HOUR = 60, 3600


def behaviour(call: Call) -> Json:
    """All members asked about together. Today's figures are not there yet, and early in the
    morning yesterday's are missing too (a switch)."""
    userids = _userids(call)
    start, end = fields.period(call.body, "start_time", "end_time", MOST_DAYS)
    if any((instant + CHINA_OFFSET) % fields.DAY for instant in (start, end)):
        raise fields.bad("start_time and end_time are midnights in China")
    first, last = china_day(start), china_day(end)
    if first < china_day(call.now) - MOST_DAYS_BACK:
        raise fields.bad(f"more than {MOST_DAYS_BACK} days ago")
    ready = china_day(call.now - call.account.settings.figures_ready_at_hour * HOUR) - 1
    days = range(first, min(last, ready) + 1)
    talks = [one for userid in userids for one in _talks(call, userid)]
    return OK | {"behavior_data": [_of_day(call, userids, talks, day) for day in days]}


def _userids(call: Call) -> list[str]:
    userids = fields.texts(call.body, "userid", MOST)
    departments = {call.department(one).id for one in fields.numbers(call.body, "partyid", MOST)}
    if not userids and not departments:
        raise Refusal(40063, detail="userid and partyid")
    of_departments = [one.userid for one in corps.members_of(call.corp, departments)]
    return list(dict.fromkeys([call.member(one).userid for one in userids] + of_departments))


def _talks(call: Call, userid: str) -> list[list[Message]]:
    """The member's chats with contacts, what is only a notice left out."""
    account, beginning = chats.key_of(call.corp, userid, "")
    return [
        [one for one in said if one.extra.get("via") != chats.NOTICE]
        for (owner, chat), said in call.world.chats.items()
        if owner == account and chat.startswith(beginning)
    ]


def _of_day(call: Call, userids: list[str], talks: list[list[Message]], day: int) -> Json:
    counted = [call.corp.external.days.get(one.lower(), {}).get(day) for one in userids]
    acts = [one for one in counted if one]
    today = [[one for one in talk if china_day(one.at) == day] for talk in talks]
    ours = [one for talk in today for one in talk if not one.from_person]
    answer: Json = {
        "stat_time": day * fields.DAY - CHINA_OFFSET,
        "chat_cnt": sum(any(not one.from_person for one in talk) for talk in today),
        "message_cnt": len(ours),
        "negative_feedback_cnt": sum(one.lost for one in acts),
        "new_apply_cnt": sum(one.new_applies for one in acts),
        "new_contact_cnt": sum(one.new_contacts for one in acts),
    }
    asked = [talk for talk in today if talk and talk[0].from_person]
    if asked:
        waits = [wait for wait in map(_first_wait, asked) if wait is not None]
        answer["reply_percentage"] = round(100 * len(waits) / len(asked), 2)
        answer["avg_reply_time"] = int(sum(waits) / len(waits) / MINUTE) if waits else 0
    return answer


def _first_wait(talk: list[Message]) -> float | None:
    """Seconds until the member answered the contact who began; None when nobody did."""
    answers = (one.at for one in talk if not one.from_person)
    answered = next(answers, None)
    return None if answered is None else answered - talk[0].at
