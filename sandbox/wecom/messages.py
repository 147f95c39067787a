"""Messages of an app to members: who gets one, what it may hold, and taking it back.

https://developer.work.weixin.qq.com/document/path/90236
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.state import Json, Message
from sandbox.values import Usage
from sandbox.wecom import cards, contents, limits
from sandbox.wecom.call import OK, Call, as_number, number_in, sees
from sandbox.wecom.corps import RECALLED, deliver, departments_below, members_of
from sandbox.wecom.errors import Refusal
from sandbox.wecom.state import Member, ResponseCode, Sent

EVERYBODY = "@all"
MOST_USERS, MOST_PARTIES, MOST_TAGS = 1000, 100, 100
PER_MINUTE, PER_HOUR = 30, 1000  # of one app to one member; the rest is dropped without a word
CHECKED_SECONDS, MOST_CHECKED_SECONDS = 1800, 14_400
RECALLED_WITHIN = 86_400
KEPT_SECONDS = 3 * 86_400

CONTENTS: dict[str, Callable[[Call, Json], Json]] = {
    "text": contents.text,
    "image": contents.file_of("image"),
    "voice": contents.file_of("voice"),
    "video": contents.video,
    "file": contents.file_of("file"),
    "textcard": contents.text_card,
    "news": contents.news,
    "mpnews": contents.mp_news,
    "markdown": contents.markdown,
    "miniprogram_notice": contents.miniprogram_notice,
    "template_card": cards.card,
}


@dataclass(slots=True)
class Receivers:
    members: dict[str, Member] = field(default_factory=dict)  # by userid in lower case
    invalid_users: list[str] = field(default_factory=list)
    invalid_parties: list[str] = field(default_factory=list)
    invalid_tags: list[str] = field(default_factory=list)
    unlicensed: list[str] = field(default_factory=list)


def send(call: Call) -> Json:
    body = call.body
    call.require_own_agent(body.get("agentid"))
    kind = body.get("msgtype")
    if not isinstance(kind, str) or kind not in CONTENTS:
        raise Refusal(40008)
    given = body.get(kind)
    if not isinstance(given, dict):
        raise Refusal(44004 if kind == "text" else 40063, detail=kind)
    content = CONTENTS[kind](call, given)
    _refuse_misfits(call, kind)
    receivers = _receivers(call)
    if not receivers.members and not receivers.unlicensed:
        raise Refusal(81013)
    answer = _send_once(call, kind, content, receivers)
    return answer | {
        "invaliduser": "|".join(receivers.invalid_users),
        "invalidparty": "|".join(receivers.invalid_parties),
        "invalidtag": "|".join(receivers.invalid_tags),
        "unlicenseduser": "|".join(receivers.unlicensed),
    }


def _refuse_misfits(call: Call, kind: str) -> None:
    if kind == "news" and call.body.get("safe") == 1:
        raise Refusal(40074)
    if kind == "miniprogram_notice" and call.body.get("touser") == EVERYBODY:
        raise Refusal(40058, detail="miniprogram_notice cannot go to @all")


def _send_once(call: Call, kind: str, content: Json, receivers: Receivers) -> Json:
    members = list(receivers.members.values())
    _forget_old(call)
    fingerprint = _fingerprint(call, kind, content, receivers)
    if (earlier := _sent_before(call, fingerprint)) is not None:
        call.world.stats.wecom_messages["duplicates"] += len(members)
        return OK | {"msgid": earlier.msgid}
    task_id = str(content.get("task_id", "")) if kind == "template_card" else ""
    if task_id and _task_key(call.account.agentid, task_id) in call.corp.task_ids:
        raise Refusal(40058, detail="template_card.task_id was used before")
    limits.spend_persons(call.corp, call.account, len(members), call.now)
    sent = Sent(
        msgid=secrets.token_urlsafe(48),
        account=call.account.name,
        agentid=call.account.agentid,
        sent_at=call.now,
        userids=list(receivers.members),
        fingerprint=fingerprint,
        task_id=task_id,
    )
    _remember(call, sent)
    for member in members:
        _deliver(call, member, kind, content, sent)
    answer = OK | {"msgid": sent.msgid}
    if kind == "template_card" and cards.is_interactive(content):
        answer["response_code"] = new_response_code(call, sent.msgid)
    return answer


def new_response_code(call: Call, msgid: str) -> str:
    value = secrets.token_urlsafe(32)
    call.corp.response_codes[value] = ResponseCode(call.account.name, msgid, call.now)
    return value


def recall(call: Call) -> Json:
    sent = call.corp.sent.get(str(call.body.get("msgid") or ""))
    if sent is None or sent.account != call.account.name:
        raise Refusal(40058, detail="invalid msgid")
    if call.now >= sent.sent_at + RECALLED_WITHIN:
        raise Refusal(40058, detail="the message is older than 24 hours")
    if not sent.recalled:
        sent.recalled = True
        call.world.stats.wecom_messages["recalled"] += 1
        for userid in sent.userids:
            if member := call.corp.members.get(userid):
                entry = _entry(call, member, RECALLED, {"msgid": sent.msgid})
                deliver(call.world, call.account, member, entry)
    return OK


# Who


def _receivers(call: Call) -> Receivers:
    body, found = call.body, Receivers()
    users = _listed(body.get("touser"), MOST_USERS, 40032)
    parties = _listed(body.get("toparty"), MOST_PARTIES, 82002)
    tags = _listed(body.get("totag"), MOST_TAGS, 82003)
    if not (users or parties or tags):
        raise Refusal(82001)
    if users == [EVERYBODY]:
        _add(call, found, list(call.corp.members.values()))
        return found
    for userid in users:
        member = call.corp.members.get(userid.lower())
        if member is None or not sees(call.account, userid):
            found.invalid_users.append(userid.lower())
        else:
            _add(call, found, [member])
    for party in parties:
        _add_party(call, found, party)
    for tag in tags:
        _add_tag(call, found, tag)
    return found


def _listed(value: object, most: int, errcode: int) -> list[str]:
    if value in (None, ""):
        return []
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise Refusal(40058, detail="touser, toparty and totag are texts")
    items = list(dict.fromkeys(one for one in str(value).split("|") if one))
    if len(items) > most:
        raise Refusal(errcode)
    return items


def _add_party(call: Call, found: Receivers, party: str) -> None:
    number = number_in(party)
    if number is None or number not in call.corp.departments:
        found.invalid_parties.append(party)
        return
    below = {one.id for one in departments_below(call.corp, number)}
    _add(call, found, members_of(call.corp, below))


def _add_tag(call: Call, found: Receivers, tag: str) -> None:
    known = call.corp.member_tags.get(number_in(tag) or 0)
    if known is None:
        found.invalid_tags.append(tag)
        return
    members = call.corp.members
    _add(call, found, [members[userid] for userid in known.userids if userid in members])


def _add(call: Call, found: Receivers, members: list[Member]) -> None:
    for member in members:
        userid = member.userid.lower()
        if not sees(call.account, userid):
            continue
        if not member.licensed:
            if userid not in found.unlicensed:
                found.unlicensed.append(userid)
        else:
            found.members[userid] = member


# Once


def _fingerprint(call: Call, kind: str, content: Json, receivers: Receivers) -> str:
    parts = [call.account.agentid, kind, content, sorted(receivers.members)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _sent_before(call: Call, fingerprint: str) -> Sent | None:
    if call.body.get("enable_duplicate_check") != 1:
        return None
    seconds = as_number(call.body.get("duplicate_check_interval", CHECKED_SECONDS), 40058)
    earlier = call.corp.sent.get(call.corp.fingerprints.get(fingerprint, ""))
    since = call.now - min(seconds, MOST_CHECKED_SECONDS)
    return earlier if earlier and earlier.sent_at > since else None


def _remember(call: Call, sent: Sent) -> None:
    call.corp.sent[sent.msgid] = sent
    call.corp.fingerprints[sent.fingerprint] = sent.msgid
    if sent.task_id:
        call.corp.task_ids[_task_key(sent.agentid, sent.task_id)] = sent.msgid


def _forget_old(call: Call) -> None:
    corp, limit = call.corp, call.now - KEPT_SECONDS
    while corp.sent and (old := next(iter(corp.sent.values()))).sent_at < limit:
        del corp.sent[old.msgid]
        corp.task_ids.pop(_task_key(old.agentid, old.task_id), None)
        if corp.fingerprints.get(old.fingerprint) == old.msgid:
            del corp.fingerprints[old.fingerprint]
    codes = corp.response_codes
    while codes and codes[oldest := next(iter(codes))].issued_at < limit:
        del codes[oldest]


def _task_key(agentid: str, task_id: str) -> str:
    return f"{agentid}:{task_id}"


# Delivery


def _deliver(call: Call, member: Member, kind: str, content: Json, sent: Sent) -> None:
    counts = call.world.stats.wecom_messages
    counts["accepted"] += 1
    if not _may_receive(call, member):
        counts["dropped"] += 1
        return
    counts["delivered"] += 1
    entry = _entry(call, member, kind, {"msgid": sent.msgid, "content": content})
    deliver(call.world, call.account, member, entry)


def _may_receive(call: Call, member: Member) -> bool:
    minute, hour = member.pushes.setdefault(call.account.agentid, [Usage(), Usage()])
    return limits.use(minute, call.now // limits.MINUTE, PER_MINUTE) and limits.use(
        hour, call.now // limits.HOUR, PER_HOUR
    )


def _entry(call: Call, member: Member, kind: str, extra: Json) -> Message:
    return Message(
        msgid=call.world.next_id(),
        account=call.account.name,
        openid=member.userid.lower(),
        kind=kind,
        at=call.now,
        extra=extra,
    )
