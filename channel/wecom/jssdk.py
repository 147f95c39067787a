"""Signatures for the JS-SDK inside WeCom: the corp's for ``getConfigSignature``, the app's for
``getAgentConfigSignature``. Each has a ticket of its own, and they are not interchangeable.

https://developer.work.weixin.qq.com/document/path/90506
"""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from channel import signin
from channel.clients import wecom_client
from channel.wechat.jssdk import requested

bp = Blueprint("wecom", __name__)


@bp.get("/corp")
def for_corp() -> ResponseReturnValue:
    """For the page at ``?url=`` of the app ``&account=``."""
    app = signin.current_app()
    signature = requested(wecom_client(app).get_corp_ticket)
    return jsonify(corpId=app.appid, **signature.as_json())


@bp.get("/agent")
def for_agent() -> ResponseReturnValue:
    app = signin.current_app()
    signature = requested(wecom_client(app).get_agent_ticket)
    return jsonify(corpId=app.appid, agentId=app.agentid, **signature.as_json())
