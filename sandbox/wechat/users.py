"""Followers, tags and the blacklist."""

from sandbox.state import Account, Fan, Json
from sandbox.wechat.call import Call
from sandbox.wechat.errors import Refusal
from sandbox.world import unionid_for

PAGE = 10_000
BATCH = 100
TAGGED_AT_ONCE = 50
MOST_TAGS = 100
LONGEST_TAG_BYTES = 30
FIRST_TAG = 100  # smaller ones are WeChat's own
OK: Json = {"errcode": 0, "errmsg": "ok"}


def list_followers(call: Call) -> Json:
    openids = [fan.openid for fan in call.account.fans.values() if fan.subscribed]
    start = 0
    if after := call.query.get("next_openid"):
        if after not in call.account.fans:
            raise Refusal(40003)
        start = openids.index(after) + 1 if after in openids else 0
    page = openids[start : start + PAGE]
    answer: Json = {"total": len(openids), "count": len(page)}
    if page:
        answer["data"] = {"openid": page}
    return answer | {"next_openid": page[-1] if page else ""}


def info(call: Call) -> Json:
    return describe(call.account, call.fan(call.query.get("openid")))


def batch_info(call: Call) -> Json:
    wanted = call.body.get("user_list")
    if not isinstance(wanted, list) or len(wanted) > BATCH:
        raise Refusal(40032, "invalid openid list size")
    fans = [call.fan(one.get("openid") if isinstance(one, dict) else None) for one in wanted]
    return {"user_info_list": [describe(call.account, fan) for fan in fans]}


def describe(account: Account, fan: Fan) -> Json:
    """Names and pictures are gone since 2021; who does not follow is nearly nobody."""
    answer: Json = {"subscribe": int(fan.subscribed), "openid": fan.openid}
    if account.settings.unionid:
        answer["unionid"] = unionid_for(fan.person_id)
    if not fan.subscribed:
        return answer
    return answer | {
        "language": "zh_CN",
        "subscribe_time": int(fan.subscribed_at),
        "remark": fan.remark,
        "groupid": fan.tagid_list[0] if fan.tagid_list else 0,
        "tagid_list": fan.tagid_list,
        "subscribe_scene": fan.subscribe_scene,
        "qr_scene": fan.qr_scene,
        "qr_scene_str": fan.qr_scene_str,
    }


def set_remark(call: Call) -> Json:
    call.fan(call.body.get("openid")).remark = str(call.body.get("remark") or "")
    return OK


def create_tag(call: Call) -> Json:
    tags = call.account.tags
    tag = call.body.get("tag")
    name = str(tag.get("name") or "") if isinstance(tag, dict) else ""
    if not name or name in tags.values():
        raise Refusal(45157)
    if len(name.encode()) > LONGEST_TAG_BYTES:
        raise Refusal(45158)
    if len(tags) >= MOST_TAGS:
        raise Refusal(45056)
    tag_id = max(tags, default=FIRST_TAG - 1) + 1
    tags[tag_id] = name
    return {"tag": {"id": tag_id, "name": name}}


def list_tags(call: Call) -> Json:
    counts = dict.fromkeys(call.account.tags, 0)
    for fan in call.account.fans.values():
        for tag_id in fan.tagid_list:
            counts[tag_id] += 1
    tags = call.account.tags.items()
    return {"tags": [{"id": key, "name": name, "count": counts[key]} for key, name in tags]}


def tag_fans(call: Call) -> Json:
    tag_id = _tag(call)
    for fan in _listed_fans(call):
        if tag_id not in fan.tagid_list:
            fan.tagid_list.append(tag_id)
    return OK


def untag_fans(call: Call) -> Json:
    tag_id = _tag(call)
    for fan in _listed_fans(call):
        if tag_id in fan.tagid_list:
            fan.tagid_list.remove(tag_id)
    return OK


def tags_of_fan(call: Call) -> Json:
    return {"tagid_list": call.fan(call.body.get("openid")).tagid_list}


def blacklist(call: Call) -> Json:
    for fan in _listed_fans(call):
        fan.blacklisted = True
    return OK


def unblacklist(call: Call) -> Json:
    for fan in _listed_fans(call):
        fan.blacklisted = False
    return OK


def _tag(call: Call) -> int:
    tag_id = call.body.get("tagid")
    if not isinstance(tag_id, int) or tag_id not in call.account.tags:
        raise Refusal(45159)
    return tag_id


def _listed_fans(call: Call) -> list[Fan]:
    openids = call.body.get("openid_list")
    if not isinstance(openids, list) or not 1 <= len(openids) <= TAGGED_AT_ONCE:
        raise Refusal(40032, "invalid openid list size")
    return [call.fan(openid) for openid in openids]
