"""The corp's tags, and which contact bears which.

https://developer.work.weixin.qq.com/document/path/92117
https://developer.work.weixin.qq.com/document/path/92118
"""

import secrets

from sandbox.state import Json
from sandbox.wecom.call import OK, Call
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import fields
from sandbox.wecom.external.contacts import follow_of
from sandbox.wecom.state import CorpTag, TagGroup

LONGEST_NAME = 30
MOST_AT_ONCE = 100
MOST_ON_ONE = 3000
ORDERS = range(2**32)


def list_all(call: Call) -> Json:
    """Everything, or what is asked for by id; deleted ones are shown only then."""
    tag_ids = fields.texts(call.body, "tag_id", MOST_AT_ONCE)
    group_ids = fields.texts(call.body, "group_id", MOST_AT_ONCE)
    groups = call.corp.tag_groups
    if group_ids:
        known = [describe(groups[one]) for one in group_ids if one in groups]
        return OK | {"tag_group": known + _deleted(call, group_ids)}
    if not tag_ids:
        return OK | {"tag_group": [describe(one) for one in groups.values()]}
    found = [
        describe(group) | {"tag": [_tag(group.tags[one]) for one in group.tags if one in tag_ids]}
        for group in groups.values()
        if not group.tags.keys().isdisjoint(tag_ids)
    ]
    return OK | {"tag_group": found + _deleted(call, tag_ids)}


def add(call: Call) -> Json:
    """Tags for a group that is there, or for one that comes into being with them."""
    given = call.body.get("tag")
    if not isinstance(given, list) or not 0 < len(given) <= MOST_AT_ONCE:
        raise Refusal(40063, detail="tag")
    names = {_name(one, "name"): _order(one) for one in given}
    group = _group_for(call)
    if taken := names.keys() & {one.name for one in group.tags.values()}:
        raise Refusal(40071, detail=", ".join(sorted(taken)))
    count = sum(len(one.tags) for one in call.corp.tag_groups.values())
    if count + len(names) > call.account.settings.most_corp_tags:
        raise Refusal(40126)
    made = [
        CorpTag(_fresh_id(), name, call.now, order, call.account.name)
        for name, order in names.items()
    ]
    group.tags |= {tag.id: tag for tag in made}
    call.corp.tag_groups[group.id] = group
    return OK | {"tag_group": describe(group) | {"tag": [_tag(tag) for tag in made]}}


def edit(call: Call) -> Json:
    changed = _own(call, fields.needed(call.body, "id", 40068))
    if name := fields.text(call.body, "name", LONGEST_NAME):
        if any(one.name == name and one is not changed for one in _beside(call, changed)):
            raise Refusal(40071, detail=name)
        changed.name = name
    if call.body.get("order") is not None:
        changed.order = _order(call.body)
    return OK


def delete(call: Call) -> Json:
    """A group that has lost its last tag goes with it."""
    tag_ids = fields.texts(call.body, "tag_id", MOST_AT_ONCE)
    group_ids = fields.texts(call.body, "group_id", MOST_AT_ONCE)
    if not tag_ids and not group_ids:
        raise Refusal(40063, detail="tag_id and group_id")
    for one in [_own(call, wanted) for wanted in tag_ids + group_ids]:
        _delete(call, one)
    return OK


def mark(call: Call) -> Json:
    """One member's view of one contact. Unknown tags are passed over when others are known."""
    follow = follow_of(call)
    adding = fields.texts(call.body, "add_tag", MOST_ON_ONE)
    removing = fields.texts(call.body, "remove_tag", MOST_ON_ONE)
    if not adding and not removing:
        raise Refusal(40063, detail="add_tag and remove_tag")
    known = {tag_id for group in call.corp.tag_groups.values() for tag_id in group.tags}
    if not known & {*adding, *removing}:
        raise Refusal(40070)
    kept = [one for one in follow.tag_ids if one not in removing]
    after = list(dict.fromkeys(kept + [one for one in adding if one in known]))
    if len(after) > MOST_ON_ONE:
        raise fields.bad(f"a contact bears at most {MOST_ON_ONE} tags")
    follow.tag_ids = after
    return OK


def describe(group: TagGroup) -> Json:
    return {
        "group_id": group.id,
        "group_name": group.name,
        "create_time": int(group.created_at),
        "order": group.order,
        "tag": [_tag(one) for one in group.tags.values()],
    }


def _tag(tag: CorpTag) -> Json:
    return {
        "id": tag.id,
        "name": tag.name,
        "create_time": int(tag.created_at),
        "order": tag.order,
    }


def _group_for(call: Call) -> TagGroup:
    groups = call.corp.tag_groups
    if group_id := fields.text(call.body, "group_id"):
        if group_id not in groups:
            raise Refusal(40068, detail="group_id")
        return groups[group_id]
    name = _name(call.body, "group_name")
    known = next((one for one in groups.values() if one.name == name), None)
    return known or TagGroup(
        _fresh_id(), name, call.now, _order(call.body), made_by=call.account.name
    )


def _own(call: Call, wanted: str) -> CorpTag | TagGroup:
    """A tag or a group that this app made: others' it may only look at."""
    groups = call.corp.tag_groups
    found: CorpTag | TagGroup | None = groups.get(wanted)
    for group in groups.values():
        found = found or group.tags.get(wanted)
    if found is None:
        raise Refusal(40068)
    if found.made_by != call.account.name:
        raise Refusal(81011)
    return found


def _beside(call: Call, one: CorpTag | TagGroup) -> list[CorpTag] | list[TagGroup]:
    groups = list(call.corp.tag_groups.values())
    if isinstance(one, TagGroup):
        return groups
    return next(list(group.tags.values()) for group in groups if one.id in group.tags)


def _delete(call: Call, gone: CorpTag | TagGroup) -> None:
    corp = call.corp
    if isinstance(gone, TagGroup):
        for tag in list(gone.tags.values()):
            _delete(call, tag)
        return
    for group in [one for one in corp.tag_groups.values() if gone.id in one.tags]:
        del group.tags[gone.id]
        shown = describe(group) | {"tag": [_tag(gone) | {"deleted": True}]}
        if not group.tags:
            del corp.tag_groups[group.id]
            shown["deleted"] = True
            corp.external.deleted_tags[group.id] = (group.id, shown)
        corp.external.deleted_tags[gone.id] = (group.id, shown)
    for mine in corp.follows.values():
        for follow in mine.values():
            if gone.id in follow.tag_ids:
                follow.tag_ids.remove(gone.id)


def _deleted(call: Call, wanted: list[str]) -> list[Json]:
    memory = call.corp.external.deleted_tags
    return [memory[one][1] for one in wanted if one in memory]


def _name(given: object, name: str) -> str:
    if not isinstance(given, dict):
        raise fields.bad("tag")
    return fields.needed(given, name, longest=LONGEST_NAME)


def _order(given: Json) -> int:
    return fields.number(given, "order", 0, ORDERS)


def _fresh_id() -> str:
    return f"et{secrets.token_urlsafe(23)[:30]}"
