"""One person under several names: unionid, openid, external_userid.

https://developer.work.weixin.qq.com/document/path/97108
https://developer.work.weixin.qq.com/document/path/93274
"""

import hashlib

from sandbox.state import Json
from sandbox.wecom.call import OK, Call
from sandbox.wecom.corps import followers_of
from sandbox.wecom.errors import Refusal
from sandbox.wecom.external import fields
from sandbox.wecom.external.contacts import contact_of, is_listed
from sandbox.wecom.state import ExternalContact
from sandbox.world import openid_for, unionid_for

OF_CORP, OF_SERVICE = "wm", "wo"


def from_unionid(call: Call) -> Json:
    contact = _find(call)
    if contact is None:
        raise Refusal(84061)
    return OK | {"external_userid": contact.external_userid}


def from_unionid_or_pending(call: Call) -> Json:
    """Somebody who is no contact yet gets an id to be told by later."""
    fields.number(call.body, "subject_type", 0, range(2))
    contact = _find(call)
    if contact is not None:
        return OK | {"external_userid": contact.external_userid}
    unionid = call.body["unionid"]
    digest = hashlib.sha256(f"{call.corp.corpid}:{unionid}".encode()).hexdigest()
    pending_id = call.corp.external.pending_ids.setdefault(unionid, f"pg{digest[:30]}")
    return OK | {"pending_id": pending_id}


def to_openid(call: Call) -> Json:
    contact = _contact(call)
    if contact.type != 1:
        raise Refusal(40096)
    return OK | {"openid": openid_for(call.account, contact.person_id or contact.external_userid)}


def to_service(call: Call) -> Json:
    """As a provider of apps would know the contact."""
    return OK | {"external_userid": OF_SERVICE + _contact(call).external_userid.removeprefix("wm")}


def from_service(call: Call) -> Json:
    call.require_own_agent(call.body.get("source_agentid"))
    given = fields.needed(call.body, "external_userid", 41035)
    contact = contact_of(call, OF_CORP + given.removeprefix(OF_SERVICE))
    return OK | {"external_userid": contact.external_userid}


def _find(call: Call) -> ExternalContact | None:
    """The contact with this unionid whom a member has. Both ids must be the same person's."""
    if not call.account.settings.unionid:
        raise Refusal(41057)
    unionid = fields.needed(call.body, "unionid")
    openid = fields.needed(call.body, "openid")
    for account in call.world.official_accounts():
        fan = account.fans.get(openid)
        if fan is not None and unionid_for(fan.person_id) != unionid:
            raise Refusal(40073)
    for contact in call.corp.contacts.values():
        if unionid_for(contact.person_id or contact.external_userid) == unionid and any(
            is_listed(call, one) for one in followers_of(call.corp, contact.external_userid)
        ):
            return contact
    return None


def _contact(call: Call) -> ExternalContact:
    if not call.body.get("external_userid"):
        raise Refusal(41035)
    return contact_of(call, call.body["external_userid"])
