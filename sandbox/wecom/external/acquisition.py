"""Acquisition links (获客助手): a customer who opens one gets a member.

https://developer.work.weixin.qq.com/document/path/97297
"""

import secrets

from sandbox.clock import china_day
from sandbox.state import Json
from sandbox.wecom import chats
from sandbox.wecom.call import OK, Call, page_of
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import fields
from sandbox.wecom.external.ways import ADDRESS
from sandbox.wecom.external_state import Acquired, AcquisitionLink

LONGEST_NAME, MOST_MEMBERS, MOST_DAYS = 30, 500, 30
MOST_LINKS, MOST_CUSTOMERS = 100, 1000
SILENT, SPOKEN = 0, 1
QUOTA_DAYS = 365


def create(call: Call) -> Json:
    name = fields.needed(call.body, "link_name", longest=LONGEST_NAME)
    given = {
        "range": _range(call),
        "skip_verify": fields.flag(call.body, "skip_verify", default=True),
    }
    link_id = f"cawcde{secrets.token_hex(5)}"
    url = ADDRESS + link_id
    link = AcquisitionLink(link_id, name, url, call.now, given)
    call.corp.external.links[link_id] = link
    return OK | {"link": describe(link)}


def update(call: Call) -> Json:
    link = _link(call)
    link.name = fields.text(call.body, "link_name", LONGEST_NAME) or link.name
    if call.body.get("range") is not None:
        link.fields["range"] = _range(call)
    is_skipped = fields.flag(call.body, "skip_verify", default=link.fields["skip_verify"])
    link.fields["skip_verify"] = is_skipped
    return OK


def delete(call: Call) -> Json:
    del call.corp.external.links[_link(call).link_id]
    return OK


def get(call: Call) -> Json:
    link = _link(call)
    shown = describe(link) | {"skip_verify": link.fields["skip_verify"]}
    return OK | {"link": shown, "range": link.fields["range"]}


def list_all(call: Call) -> Json:
    limit = fields.limit(call.body, MOST_LINKS, MOST_LINKS)
    link_ids = list(call.corp.external.links)
    page, cursor = page_of(link_ids, call.body.get("cursor"), limit)
    return OK | {"link_id_list": page, "next_cursor": cursor}


def customers(call: Call) -> Json:
    limit = fields.limit(call.body, MOST_CUSTOMERS, MOST_CUSTOMERS)
    page, cursor = page_of(_link(call).customers, call.body.get("cursor"), limit)
    shown = [
        {
            "external_userid": one.external_userid,
            "userid": one.userid,
            "chat_status": _chat_status(call, one),
            "state": one.state,
        }
        for one in page
    ]
    return OK | {"customer_list": shown, "next_cursor": cursor}


def statistic(call: Call) -> Json:
    link = _link(call)
    start, end = fields.period(call.body, "start_time", "end_time", MOST_DAYS)
    days = range(china_day(start), china_day(end) + 1)
    return OK | {
        "click_link_customer_cnt": sum(china_day(at) in days for at in link.clicks),
        "new_customer_cnt": sum(china_day(one.at) in days for one in link.customers),
    }


def quota(call: Call) -> Json:
    external = call.corp.external
    total = call.account.settings.acquisition_quota
    left = max(total - external.quota_used, 0)
    expires = int(call.now) + QUOTA_DAYS * fields.DAY
    bought = [{"expire_date": expires, "balance": left}]
    return OK | {"total": total, "balance": left, "quota_list": bought}


def describe(link: AcquisitionLink) -> Json:
    return {
        "link_id": link.link_id,
        "link_name": link.name,
        "url": link.url,
        "create_time": int(link.created_at),
    }


def _chat_status(call: Call, one: Acquired) -> int:
    said = chats.chat_of(call.world, call.corp, one.userid, one.external_userid)
    return SPOKEN if any(message.from_person for message in said) else SILENT


def _range(call: Call) -> Json:
    given = fields.inside(call.body, "range")
    users = [call.member(one).userid for one in fields.texts(given, "user_list", MOST_MEMBERS)]
    departments = [
        call.department(one).id for one in fields.numbers(given, "department_list", MOST_MEMBERS)
    ]
    if not users and not departments:
        raise Refusal(40063, detail="range")
    return {"user_list": users, "department_list": departments}


def _link(call: Call) -> AcquisitionLink:
    link_id = fields.needed(call.body, "link_id")
    link = call.corp.external.links.get(link_id)
    if link is None:
        raise fields.bad("invalid link_id")
    return link
