"""External contacts and the members who follow them."""

from sandbox.state import Json
from sandbox.wecom import corps, media
from sandbox.wecom.call import OK, Call, page_of, sees
from sandbox.wecom.corps import followers_of
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import fields
from sandbox.wecom.state import CorpTag, ExternalContact, Follow, TagGroup
from sandbox.world import unionid_for

FOLLOWERS_PER_PAGE = 500
MOST_MEMBERS, MOST_PER_PAGE, USUAL_PER_PAGE = 100, 100, 50
MOST_SERVED, USUAL_SERVED = 1000, 1000
LONGEST_REMARK, LONGEST_COMPANY, LONGEST_DESCRIPTION, MOST_MOBILES = 20, 20, 150, 5


def list_followers(call: Call) -> Json:
    """Members who may have external contacts: here all whom the app sees."""
    members = call.corp.members.values()
    visible = [one.userid for one in members if sees(call.account, one.userid)]
    return OK | {"follow_user": visible}


def list_of_member(call: Call) -> Json:
    member = call.member(call.query.get("userid"))
    follows = call.corp.follows.get(member.userid.lower(), {}).values()
    listed = [one.external_userid for one in follows if is_listed(call, one)]
    if not listed and call.account.settings.none_is_84061:
        raise Refusal(84061)
    return OK | {"external_userid": listed}


def get(call: Call) -> Json:
    contact = contact_of(call, call.query.get("external_userid"))
    follows = [
        one
        for one in followers_of(call.corp, contact.external_userid)
        if is_listed(call, one) and sees(call.account, one.userid)
    ]
    if not follows:
        raise Refusal(84061)
    page, cursor = page_of(follows, call.query.get("cursor"), FOLLOWERS_PER_PAGE)
    answer: Json = OK | {
        "external_contact": describe(call, contact),
        "follow_user": [describe_follow(call, one) for one in page],
    }
    return answer | ({"next_cursor": cursor} if cursor else {})


def batch_of_members(call: Call) -> Json:
    """Contacts of several members with details. Members without a licence are named apart."""
    members = [call.member(one) for one in _userids(call)]
    unlicensed = [one.userid for one in members if not one.licensed]
    if len(unlicensed) == len(members):
        raise Refusal(701008)
    follows = [
        follow
        for member in members
        if member.licensed
        for follow in call.corp.follows.get(member.userid.lower(), {}).values()
        if is_listed(call, follow)
    ]
    limit = fields.limit(call.body, USUAL_PER_PAGE, MOST_PER_PAGE)
    page, cursor = page_of(follows, call.body.get("cursor"), limit)
    answer: Json = OK | {
        "external_contact_list": [_in_batch(call, one) for one in page],
        "next_cursor": cursor,
    }
    return answer | ({"fail_info": {"unlicensed_userid_list": unlicensed}} if unlicensed else {})


def _userids(call: Call) -> list[str]:
    """Years ago the interface took one ``userid``, and clients of that time still send it."""
    userids = fields.texts(call.body, "userid_list", MOST_MEMBERS)
    return userids or [fields.needed(call.body, "userid", 41009)]


def _in_batch(call: Call, follow: Follow) -> Json:
    contact = call.corp.contacts[follow.external_userid]
    info = describe_follow(call, follow)
    del info["tags"]
    info["tag_id"] = [tag.id for _, tag in tags_of(call, follow)]
    return {"external_contact": describe(call, contact), "follow_info": info}


def set_remark(call: Call) -> Json:
    """What a member notes about a contact; fields left out stay as they are."""
    follow, given = follow_of(call), call.body
    contact = call.corp.contacts[follow.external_userid]
    names = ("remark", "description", "remark_company", "remark_mobiles", "remark_pic_mediaid")
    if all(given.get(name) is None for name in names):
        raise Refusal(40063, detail=", ".join(names))
    remark = fields.text(given, "remark", LONGEST_REMARK)
    description = fields.text(given, "description", LONGEST_DESCRIPTION)
    company = fields.text(given, "remark_company", LONGEST_COMPANY)
    mobiles = fields.texts(given, "remark_mobiles", MOST_MOBILES)
    if given.get("remark_pic_mediaid"):
        media.require(call.corp, given["remark_pic_mediaid"], call.now, "image")
    follow.remark = remark if given.get("remark") is not None else follow.remark
    if given.get("description") is not None:
        follow.description = description
    if given.get("remark_company") is not None and contact.type == 1:
        follow.remark_corp_name = company
    if given.get("remark_mobiles") is not None:
        follow.remark_mobiles = [one for one in mobiles if one]
    return OK


def list_served(call: Call) -> Json:
    """Everybody served: contacts by member, and strangers met in group chats."""
    customers = [
        {
            "is_customer": True,
            "tmp_openid": temporary_id(call, one.external_userid),
            "external_userid": one.external_userid,
            "name": call.corp.contacts[one.external_userid].name,
            "follow_userid": one.userid,
            "add_time": int(one.created_at),
        }
        for mine in call.corp.follows.values()
        for one in mine.values()
        if is_listed(call, one) and sees(call.account, one.userid)
    ]
    known = {one["external_userid"] for one in customers}
    strangers = [
        {
            "is_customer": False,
            "tmp_openid": temporary_id(call, one.userid),
            "name": name_in_chat(call, one.userid),
            "chat_id": chat.chat_id,
            "chat_name": chat.name,
            "add_time": int(one.joined_at),
        }
        for chat in call.corp.group_chats.values()
        for one in chat.members.values()
        if one.type == 2 and one.userid not in known and not chat.is_dismissed
    ]
    limit = fields.limit(call.body, USUAL_SERVED, MOST_SERVED)
    page, cursor = page_of(customers + strangers, call.body.get("cursor"), limit)
    return OK | {"info_list": page} | ({"next_cursor": cursor} if cursor else {})


def name_in_chat(call: Call, userid: str) -> str:
    known = call.corp.members.get(userid.lower()) or call.corp.contacts.get(userid)
    return known.name if known else userid


def temporary_id(call: Call, external_userid: str) -> str:
    """Good for a day in reality; here always the same."""
    return corps.external_userid_for(call.corp.corpid, f"temporary:{external_userid}")


def follow_of(call: Call) -> Follow:
    """The relation of the body's ``userid`` and ``external_userid``."""
    member = call.member(call.body.get("userid"))
    if not call.body.get("external_userid"):
        raise Refusal(41035)
    contact = contact_of(call, call.body["external_userid"])
    follow = corps.follow_of(call.corp, member.userid, contact.external_userid)
    if follow is None or not is_listed(call, follow):
        raise Refusal(84061)
    return follow


def contact_of(call: Call, external_userid: object) -> ExternalContact:
    known = call.corp.contacts.get(external_userid) if isinstance(external_userid, str) else None
    if known is None:
        raise Refusal(40096)
    return known


def is_listed(call: Call, follow: Follow) -> bool:
    """Whether a contact who deleted the member is still shown is not settled: a switch."""
    return not follow.lost_at or call.account.settings.lists_lost_contacts


def describe(call: Call, contact: ExternalContact) -> Json:
    answer: Json = {
        "external_userid": contact.external_userid,
        "name": contact.name,
        "type": contact.type,
        "avatar": contact.avatar,
        "gender": contact.gender,
    }
    if call.account.settings.unionid and contact.type == 1:
        answer["unionid"] = unionid_for(contact.person_id or contact.external_userid)
    if contact.type == 2:
        answer |= {
            "position": contact.position,
            "corp_name": contact.corp_name,
            "corp_full_name": contact.corp_full_name,
        }
    return answer


def describe_follow(call: Call, follow: Follow) -> Json:
    answer: Json = {
        "userid": follow.userid,
        "remark": follow.remark,
        "description": follow.description,
        "createtime": int(follow.created_at),
        "tags": [_describe_tag(group, tag) for group, tag in tags_of(call, follow)],
        "remark_mobiles": follow.remark_mobiles,
        "oper_userid": follow.oper_userid,
        "add_way": follow.add_way,
    }
    if follow.remark_corp_name:
        answer["remark_corp_name"] = follow.remark_corp_name
    return answer | ({"state": follow.state} if follow.state else {})


def tags_of(call: Call, follow: Follow) -> list[tuple[TagGroup, CorpTag]]:
    groups = call.corp.tag_groups.values()
    by_id = {tag.id: (group, tag) for group in groups for tag in group.tags.values()}
    return [by_id[one] for one in follow.tag_ids if one in by_id]


def _describe_tag(group: TagGroup, tag: CorpTag) -> Json:
    return {"group_name": group.name, "tag_name": tag.name, "tag_id": tag.id, "type": 1}
