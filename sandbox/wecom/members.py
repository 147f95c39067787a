"""Members and departments, as an app of the corp sees them.

https://developer.work.weixin.qq.com/document/path/90196
"""

from sandbox.state import Account, Json
from sandbox.wecom.call import OK, Call, as_number, page_of, sees
from sandbox.wecom.corps import departments_below, members_of
from sandbox.wecom.errors import Refusal
from sandbox.wecom.state import ACTIVE, ROOT_DEPARTMENT, Department, Member
from sandbox.world import openid_for

LARGEST_PAGE = 10_000


def get(call: Call) -> Json:
    return OK | describe(call.account, call.member(call.query.get("userid")))


def simple_list(call: Call) -> Json:
    members = _members_of_department(call)
    brief = [{"userid": m.userid, "name": m.name, "department": m.departments} for m in members]
    return OK | {"userlist": brief}


def detailed_list(call: Call) -> Json:
    return OK | {"userlist": [describe(call.account, one) for one in _members_of_department(call)]}


def list_ids(call: Call) -> Json:
    limit = as_number(call.body.get("limit", LARGEST_PAGE), 40058)
    pairs = [
        {"userid": member.userid, "department": department}
        for member in call.corp.members.values()
        if sees(call.account, member.userid)
        for department in member.departments
    ]
    page, cursor = page_of(pairs, call.body.get("cursor"), max(1, min(limit, LARGEST_PAGE)))
    return OK | {"dept_user": page, "next_cursor": cursor}


def find_by_mobile(call: Call) -> Json:
    mobile = call.body.get("mobile")
    if not isinstance(mobile, str) or not mobile:
        raise Refusal(60103)
    for member in call.corp.members.values():
        if member.mobile == mobile and sees(call.account, member.userid):
            return OK | {"userid": member.userid}
    raise Refusal(46004)


def to_openid(call: Call) -> Json:
    member = call.member(call.body.get("userid"))
    return OK | {"openid": openid_of(call.account, member)}


def to_userid(call: Call) -> Json:
    wanted = call.body.get("openid")
    for member in call.corp.members.values():
        if openid_of(call.account, member) == wanted:
            return OK | {"userid": member.userid}
    raise Refusal(40073)


def openid_of(account: Account, member: Member) -> str:
    return openid_for(account, f"member:{member.userid.lower()}")


def list_departments(call: Call) -> Json:
    return OK | {"department": [describe_department(one) for one in _wanted_departments(call)]}


def simple_list_departments(call: Call) -> Json:
    departments = _wanted_departments(call)
    brief = [{"id": one.id, "parentid": one.parentid, "order": one.order} for one in departments]
    return OK | {"department_id": brief}


def get_department(call: Call) -> Json:
    return OK | {"department": describe_department(call.department(call.query.get("id")))}


def describe(account: Account, member: Member) -> Json:
    """Since June 2022 a new app learns no mobile, mail, sex or picture here: the member tells."""
    answer: Json = {
        "userid": member.userid,
        "name": member.name,
        "department": member.departments,
        "order": [0] * len(member.departments),
        "position": member.position,
        "status": member.status,
        "enable": int(member.status == ACTIVE),
        "isleader": int(member.is_leader),
        "is_leader_in_dept": [int(member.is_leader)] * len(member.departments),
        "direct_leader": member.direct_leaders,
        "main_department": member.departments[0] if member.departments else ROOT_DEPARTMENT,
        "alias": member.alias,
        "telephone": "",
        "hide_mobile": 0,
        "extattr": {"attrs": []},
    }
    return answer | (details(member) if account.settings.sensitive_fields else {})


def details(member: Member) -> Json:
    return {
        "gender": member.gender,
        "avatar": "",
        "qr_code": "",
        "mobile": member.mobile,
        "email": member.email,
        "biz_mail": "",
        "address": "",
    }


def describe_department(department: Department) -> Json:
    return {
        "id": department.id,
        "name": department.name,
        "name_en": "",
        "department_leader": department.leaders,
        "parentid": department.parentid,
        "order": department.order,
    }


def _members_of_department(call: Call) -> list[Member]:
    department = call.department(call.query.get("department_id"))
    wanted = {department.id}
    if call.query.get("fetch_child") == "1":
        wanted = {one.id for one in departments_below(call.corp, department.id)}
    return [one for one in members_of(call.corp, wanted) if sees(call.account, one.userid)]


def _wanted_departments(call: Call) -> list[Department]:
    wanted = call.query.get("id")
    root = call.department(wanted).id if wanted else ROOT_DEPARTMENT
    return departments_below(call.corp, root)
