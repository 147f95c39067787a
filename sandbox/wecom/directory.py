"""What an administrator changes in the address book, and what becomes of batch jobs.

https://developer.work.weixin.qq.com/document/path/90970
"""

from pydantic import TypeAdapter, ValidationError

from sandbox.state import Account, Json
from sandbox.wechat.events import Impossible
from sandbox.wecom import corps
from sandbox.wecom.call import number_in
from sandbox.wecom.events import Act, tell_corp
from sandbox.wecom.state import Corp, Department, Member, MemberTag
from sandbox.wecom.wishes import Wish
from sandbox.world import Callback, World

CONTACT = "change_contact"
MEMBER = TypeAdapter(Member)


def keep_described(world: World, corp: Corp, given: Json) -> Member:
    """Make or change the member from any of its fields."""
    userid = str(given.get("userid") or "")
    if not userid:
        raise Impossible("a member needs userid")
    known = corps.keep_member(world, corp, userid)
    try:
        changed = MEMBER.validate_python(MEMBER.dump_python(known) | given)
    except ValidationError as error:
        raise Impossible(f"{userid}: {error.errors()[0]['msg']}") from error
    corp.members[userid.lower()] = changed
    return changed


def change_contact(world: World, account: Account, wish: Wish) -> list[Callback]:
    act = CHANGES.get(wish.change_type)
    if act is None:
        raise Impossible(f"{CONTACT} needs change_type: {', '.join(CHANGES)}")
    fields = {"ChangeType": wish.change_type} | act(world, world.corp(account), wish)
    world.is_dirty = True
    return tell_corp(world, account, CONTACT, fields, wish)


def _create_user(world: World, corp: Corp, wish: Wish) -> Json:
    userid = wish.needed("userid")
    if userid.lower() in corp.members:
        raise Impossible(f"there is already a member {userid!r}")
    member = corps.keep_member(world, corp, userid, wish.name)
    if wish.party_id:
        member.departments = [wish.party_id]
    corp.left_members.pop(userid.lower(), None)
    return _described(member)


def _update_user(_: World, corp: Corp, wish: Wish) -> Json:
    member = _member(corp, wish)
    member.name = wish.name or member.name
    member.status = wish.status
    if wish.party_id:
        member.departments = [wish.party_id]
    return _described(member)


def _delete_user(world: World, corp: Corp, wish: Wish) -> Json:
    """The customers stay behind, to be handed over."""
    member = _member(corp, wish)
    del corp.members[member.userid.lower()]
    corp.left_members[member.userid.lower()] = world.clock.now()
    return {"UserID": member.userid}


def _create_party(_: World, corp: Corp, wish: Wish) -> Json:
    number = wish.party_id or max(corp.departments) + 1
    if number in corp.departments or wish.parent_id not in corp.departments:
        raise Impossible("the department exists already, or the one above it does not")
    corp.departments[number] = Department(number, wish.needed("name"), wish.parent_id)
    return {"Id": number, "Name": wish.name, "ParentId": wish.parent_id, "Order": 0}


def _update_party(_: World, corp: Corp, wish: Wish) -> Json:
    department = _department(corp, wish)
    department.name = wish.name or department.name
    return {"Id": department.id, "Name": department.name, "ParentId": department.parentid}


def _delete_party(_: World, corp: Corp, wish: Wish) -> Json:
    department = _department(corp, wish)
    if not department.parentid or corps.members_of(corp, {department.id}):
        raise Impossible("the department is the topmost one or has members")
    del corp.departments[department.id]
    return {"Id": department.id}


def _update_tag(_: World, corp: Corp, wish: Wish) -> Json:
    """The members listed are now those who bear the tag."""
    number = number_in(wish.tag_id) or 0
    tag = corp.member_tags.setdefault(number, MemberTag(number, wish.name or f"标签{number}"))
    before, after = tag.userids, {userid.lower() for userid in wish.members}
    tag.userids = after
    return {
        "TagId": number,
        "AddUserItems": ",".join(sorted(after - before)),
        "DelUserItems": ",".join(sorted(before - after)),
        "AddPartyItems": "",
        "DelPartyItems": "",
    }


def _member(corp: Corp, wish: Wish) -> Member:
    member = corp.members.get(wish.userid.lower())
    if member is None:
        raise Impossible(f"{corp.corpid} has no member {wish.userid!r}")
    return member


def _department(corp: Corp, wish: Wish) -> Department:
    department = corp.departments.get(wish.party_id)
    if department is None:
        raise Impossible(f"{corp.corpid} has no department {wish.party_id}")
    return department


def _described(member: Member) -> Json:
    return {
        "UserID": member.userid,
        "Name": member.name,
        "Department": ",".join(map(str, member.departments)),
        "MainDepartment": member.departments[0] if member.departments else 1,
        "IsLeaderInDept": ",".join(str(int(member.is_leader)) for _ in member.departments),
        "DirectLeader": ",".join(member.direct_leaders),
        "Position": member.position,
        "Status": member.status,
        "Alias": member.alias,
        "Telephone": "",
    }


CHANGES = {
    "create_user": _create_user,
    "update_user": _update_user,
    "delete_user": _delete_user,
    "create_party": _create_party,
    "update_party": _update_party,
    "delete_party": _delete_party,
    "update_tag": _update_tag,
}


def finish_batch_job(world: World, account: Account, wish: Wish) -> list[Callback]:
    job = {
        "JobId": wish.needed("job_id"),
        "JobType": wish.job_type,
        "ErrCode": 0,
        "ErrMsg": "ok",
    }
    return tell_corp(world, account, "batch_job_result", {"BatchJob": job}, wish)


EVENTS: dict[str, Act] = {CONTACT: change_contact, "batch_job_result": finish_batch_job}
