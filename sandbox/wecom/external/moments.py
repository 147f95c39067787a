"""Moments (客户朋友圈) that members publish for the corp.

https://developer.work.weixin.qq.com/document/path/95094
https://developer.work.weixin.qq.com/document/path/93333
"""

import secrets

from sandbox.state import Json
from sandbox.wecom import corps
from sandbox.wecom.call import OK, Call, as_number, page_of, sees
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import attachments, fields
from sandbox.wecom.external_state import Moment, Publishing, Reaction
from sandbox.wecom.state import Member

LONGEST_TEXT = 2000  # characters, though the platform's page says so only of Chinese ones
MOST_SENDERS, MOST_TAGS = 10_000, 100
KINDS = ("image", "video", "link")
JOB_SECONDS = fields.DAY
LONGEST_DAYS = 30
MOST_ROWS, USUAL_ROWS = 1000, 500
MOST_REACHED, USUAL_REACHED = 5000, 3000
BEGUN, UNDER_WAY, DONE = 1, 2, 3
OF_CORP, OF_MEMBER, OF_BOTH = 0, 1, 2
FOR_SOME, FOR_ALL = 0, 1


def add(call: Call) -> Json:
    """A job; wrong senders and tags show only in its result."""
    content = _content(call)
    visible = fields.inside(call.body, "visible_range")
    senders, invalid_senders = _senders(call, fields.inside(visible, "sender_list"))
    tag_filter = fields.inside(visible, "external_contact_list")
    tag_ids = fields.texts(tag_filter, "tag_list", MOST_TAGS)
    known = {tag_id for group in call.corp.tag_groups.values() for tag_id in group.tags}
    wanted = {one for one in tag_ids if one in known}
    moment = Moment(
        moment_id=f"mom{secrets.token_urlsafe(22)[:29]}",
        jobid=secrets.token_urlsafe(24),
        created_at=call.now,
        content=content,
        is_for_all=not tag_ids,
        tasks={one.userid.lower(): _task(call, one, tag_ids, wanted) for one in senders},
        invalid_senders=invalid_senders,
        invalid_tags=[one for one in tag_ids if one not in known],
    )
    call.corp.external.moments[moment.moment_id] = moment
    return OK | {"jobid": moment.jobid}


def job(call: Call) -> Json:
    wanted = call.query.get("jobid", "")
    every = call.corp.external.moments.values()
    moment = next((one for one in every if one.jobid == wanted), None)
    if moment is None or call.now > moment.created_at + JOB_SECONDS:
        raise Refusal(40088)
    answer: Json = OK | {"status": _progress(call, moment), "type": "add_moment_task"}
    if answer["status"] != DONE:
        return answer
    result: Json = {
        "invalid_sender_list": moment.invalid_senders,
        "invalid_external_contact_list": {"tag_list": moment.invalid_tags},
    }
    if moment.tasks:
        result |= OK | {"moment_id": moment.moment_id}
    else:
        result |= {"errcode": 41061, "errmsg": "no sender is valid"}
    return answer | {"result": result}


def list_all(call: Call) -> Json:
    start, end = fields.period(call.body, "start_time", "end_time", LONGEST_DAYS)
    wanted = fields.number(call.body, "filter_type", OF_BOTH, range(3))
    of_somebody = bool(fields.text(call.body, "creator")) or wanted == OF_MEMBER
    found = [
        _describe(one)
        for one in call.corp.external.moments.values()
        if not of_somebody
        and one.tasks
        and start <= int(one.created_at) <= end
        and _progress(call, one) == DONE
    ]
    most = call.account.settings.most_moments_a_page
    page, cursor = page_of(found, call.body.get("cursor"), fields.limit(call.body, most, most))
    return OK | {"moment_list": page, "next_cursor": cursor}


def tasks(call: Call) -> Json:
    rows = [
        {"userid": one.userid, "publish_status": int(bool(one.published_at))}
        for one in _moment(call).tasks.values()
        if sees(call.account, one.userid)
    ]
    limit = fields.limit(call.body, USUAL_ROWS, MOST_ROWS)
    page, cursor = page_of(rows, call.body.get("cursor"), limit)
    return OK | {"task_list": page, "next_cursor": cursor}


def customers(call: Call) -> Json:
    """Who may see it, published or not."""
    task = _publishing(call)
    rows = [{"userid": task.userid, "external_userid": one} for one in task.external_userids]
    limit = fields.limit(call.body, USUAL_ROWS, MOST_ROWS)
    page, cursor = page_of(rows, call.body.get("cursor"), limit)
    return OK | {"customer_list": page, "next_cursor": cursor}


def results(call: Call) -> Json:
    """Whom it reached."""
    task = _published(call)
    rows = [{"external_userid": one} for one in task.external_userids]
    limit = fields.limit(call.body, USUAL_REACHED, MOST_REACHED)
    page, cursor = page_of(rows, call.body.get("cursor"), limit)
    return OK | {"customer_list": page, "next_cursor": cursor}


def reactions(call: Call) -> Json:
    task = _published(call)
    return OK | {
        "comment_list": [_reaction(one) for one in task.comments],
        "like_list": [_reaction(one) for one in task.likes],
    }


def cancel(call: Call) -> Json:
    _moment(call).is_cancelled = True
    return OK


def _content(call: Call) -> Json:
    words = attachments.message_text(call.body, LONGEST_TEXT * 4)
    if len(words) > LONGEST_TEXT:
        raise Refusal(45002)
    content = attachments.content(call, LONGEST_TEXT * 4)
    kinds = [one["msgtype"] for one in content["attachments"]]
    if any(kind not in KINDS for kind in kinds):
        raise Refusal(41065)
    if len(kinds) > 1 and set(kinds) != {"image"}:
        raise fields.bad("nine images, or one video, or one link")
    return content


def _senders(call: Call, given: Json) -> tuple[list[Member], Json]:
    """Without any: everybody whom the app sees."""
    corp, account = call.corp, call.account
    userids = fields.texts(given, "user_list", MOST_SENDERS)
    numbers = [as_number(one, 40058) for one in given.get("department_list") or []]
    departments = {below.id for one in numbers for below in corps.departments_below(corp, one)}
    invalid = {
        "user_list": [
            one for one in userids if one.lower() not in corp.members or not sees(account, one)
        ],
        "department_list": [one for one in numbers if one not in corp.departments],
    }
    wanted = {one.lower() for one in userids}
    wanted |= {one.userid.lower() for one in corps.members_of(corp, departments)}
    is_for_all = not userids and not numbers
    found = [
        one
        for one in corp.members.values()
        if (is_for_all or one.userid.lower() in wanted) and sees(account, one.userid)
    ]
    return found, invalid


def _task(call: Call, member: Member, tag_ids: list[str], wanted: set[str]) -> Publishing:
    mine = call.corp.follows.get(member.userid.lower(), {}).values()
    reached = [
        one.external_userid
        for one in mine
        if not one.lost_at and (not tag_ids or wanted & set(one.tag_ids))
    ]
    return Publishing(member.userid, reached)


def _progress(call: Call, moment: Moment) -> int:
    passed, needed = call.now - moment.created_at, call.account.settings.dispatch_seconds
    if passed >= needed:
        return DONE
    return UNDER_WAY if passed >= needed / 2 else BEGUN


def _describe(moment: Moment) -> Json:
    answer: Json = {
        "moment_id": moment.moment_id,
        "create_time": int(moment.created_at),
        "create_type": OF_CORP,
        "visible_type": FOR_ALL if moment.is_for_all else FOR_SOME,
    }
    if text := moment.content.get("text"):
        answer["text"] = text
    attached = moment.content["attachments"]
    if images := [one["image"] for one in attached if one["msgtype"] == "image"]:
        answer["image"] = images
    for one in attached:
        if one["msgtype"] != "image":
            answer[one["msgtype"]] = one[one["msgtype"]]
    return answer


def _moment(call: Call) -> Moment:
    wanted = fields.needed(call.body, "moment_id", 41059)
    moment = call.corp.external.moments.get(wanted)
    if moment is None or _progress(call, moment) != DONE:
        raise Refusal(41060)
    return moment


def _publishing(call: Call) -> Publishing:
    moment = _moment(call)
    task = moment.tasks.get(call.member(call.body.get("userid")).userid.lower())
    if task is None:
        raise Refusal(41061)
    return task


def _published(call: Call) -> Publishing:
    task = _publishing(call)
    if not task.published_at:
        raise Refusal(41062)
    return task


def _reaction(one: Reaction) -> Json:
    who = {"userid": one.userid} if one.userid else {"external_userid": one.external_userid}
    return who | {"create_time": int(one.at)}
