"""What an app may ask about itself.

https://developer.work.weixin.qq.com/document/path/90227
"""

from sandbox.state import Account, Json
from sandbox.wecom.call import OK, Call
from sandbox.wecom.state import ROOT_DEPARTMENT


def get(call: Call) -> Json:
    call.require_own_agent(call.query.get("agentid"))
    account = call.account
    visible = account.settings.visible_userids
    parties = [] if visible else [ROOT_DEPARTMENT]
    return (
        OK
        | _brief(account)
        | {
            "description": "",
            "allow_userinfos": {"user": [{"userid": userid} for userid in visible]},
            "allow_partys": {"partyid": parties},
            "allow_tags": {"tagid": []},
            "close": int(account.settings.app_disabled),
            "redirect_domain": account.oauth_domain,
            "report_location_flag": 0,
            "isreportenter": 1,
            "home_url": "",
        }
    )


def list_own(call: Call) -> Json:
    return OK | {"agentlist": [_brief(call.account)]}


def _brief(account: Account) -> Json:
    return {"agentid": int(account.agentid), "name": account.title, "square_logo_url": ""}
