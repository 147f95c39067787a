"""The APIs for external contacts and approvals: a table that the gate serves.

https://developer.work.weixin.qq.com/document/path/92109
"""

from collections.abc import Callable
from dataclasses import replace

from aiohttp import web

from sandbox.state import Json
from sandbox.wecom.call import Call
from sandbox.wecom.external import (
    acquisition,
    approvals,
    contacts,
    figures,
    group_chats,
    group_messages,
    identities,
    moments,
    tags,
    transfers,
    ways,
    welcomes,
)
from sandbox.wecom.gate import GET, POST, Api

PREFIX = "/cgi-bin/externalcontact"
Handle = Callable[[Call], Json | web.Response]

OWN = {
    "get_follow_user_list": Api(GET, contacts.list_followers, {"follow_user": []}),
    "list": Api(GET, contacts.list_of_member, {"external_userid": []}),
    "get": Api(GET, contacts.get, {"follow_user": []}),
    "batch/get_by_user": Api(POST, contacts.batch_of_members, {"external_contact_list": []}),
    "remark": Api(POST, contacts.set_remark),
    "contact_list": Api(POST, contacts.list_served, {"info_list": []}),
    "unionid_to_external_userid": Api(POST, identities.from_unionid),
    "convert_to_openid": Api(POST, identities.to_openid),
    "to_service_external_userid": Api(POST, identities.to_service),
    "from_service_external_userid": Api(POST, identities.from_service),
    "get_corp_tag_list": Api(POST, tags.list_all, {"tag_group": []}),
    "add_corp_tag": Api(POST, tags.add),
    "edit_corp_tag": Api(POST, tags.edit),
    "del_corp_tag": Api(POST, tags.delete),
    "mark_tag": Api(POST, tags.mark),
    "groupchat/list": Api(POST, group_chats.list_all, {"group_chat_list": []}),
    "groupchat/get": Api(POST, group_chats.get),
    "groupchat/statistic": Api(POST, group_chats.statistic, {"items": []}),
    "groupchat/statistic_group_by_day": Api(POST, group_chats.statistic_by_day, {"items": []}),
    "groupchat/transfer": Api(POST, group_chats.transfer, {"failed_chat_list": []}),
    "groupchat/onjob_transfer": Api(POST, group_chats.transfer_on_job, {"failed_chat_list": []}),
    "groupchat/add_join_way": Api(POST, ways.add_join_way),
    "groupchat/get_join_way": Api(POST, ways.get_join_way),
    "groupchat/update_join_way": Api(POST, ways.update_join_way),
    "groupchat/del_join_way": Api(POST, ways.delete_join_way),
    "opengid_to_chatid": Api(POST, group_chats.from_opengid),
    "add_contact_way": Api(POST, ways.add),
    "get_contact_way": Api(POST, ways.get),
    "list_contact_way": Api(POST, ways.list_all, {"contact_way": []}),
    "update_contact_way": Api(POST, ways.update),
    "del_contact_way": Api(POST, ways.delete),
    "close_temp_chat": Api(POST, ways.close_temp_chat),
    "send_welcome_msg": Api(POST, welcomes.send),
    "group_welcome_template/add": Api(POST, welcomes.add_template),
    "group_welcome_template/edit": Api(POST, welcomes.edit_template),
    "group_welcome_template/get": Api(POST, welcomes.get_template),
    "group_welcome_template/del": Api(POST, welcomes.delete_template),
    "add_msg_template": Api(POST, group_messages.add, {"fail_list": []}),
    "get_groupmsg_list_v2": Api(POST, group_messages.list_all, {"group_msg_list": []}),
    "get_groupmsg_task": Api(POST, group_messages.tasks, {"task_list": []}),
    "get_groupmsg_send_result": Api(POST, group_messages.results, {"send_list": []}),
    "get_group_msg_result": Api(POST, group_messages.results_of_old, {"detail_list": []}),
    "remind_groupmsg_send": Api(POST, group_messages.remind),
    "cancel_groupmsg_send": Api(POST, group_messages.cancel),
    "add_moment_task": Api(POST, moments.add),
    "get_moment_task_result": Api(GET, moments.job),
    "get_moment_list": Api(POST, moments.list_all, {"moment_list": []}),
    "get_moment_task": Api(POST, moments.tasks, {"task_list": []}),
    "get_moment_customer_list": Api(POST, moments.customers, {"customer_list": []}),
    "get_moment_send_result": Api(POST, moments.results, {"customer_list": []}),
    "get_moment_comments": Api(POST, moments.reactions, {"comment_list": [], "like_list": []}),
    "cancel_moment_task": Api(POST, moments.cancel),
    "transfer_customer": Api(POST, transfers.begin, {"customer": []}),
    "transfer_result": Api(POST, transfers.result, {"customer": []}),
    "resigned/transfer_customer": Api(POST, transfers.begin_for_leaver, {"customer": []}),
    "resigned/transfer_result": Api(POST, transfers.result_for_leaver, {"customer": []}),
    "get_unassigned_list": Api(POST, transfers.unassigned, {"info": []}),
    "get_user_behavior_data": Api(POST, figures.behaviour, {"behavior_data": []}),
    "customer_acquisition/create_link": Api(POST, acquisition.create),
    "customer_acquisition/update_link": Api(POST, acquisition.update),
    "customer_acquisition/delete_link": Api(POST, acquisition.delete),
    "customer_acquisition/get": Api(POST, acquisition.get),
    "customer_acquisition/list_link": Api(POST, acquisition.list_all, {"link_id_list": []}),
    "customer_acquisition/customer": Api(POST, acquisition.customers, {"customer_list": []}),
    "customer_acquisition/statistic": Api(POST, acquisition.statistic),
    "customer_acquisition_quota": Api(GET, acquisition.quota, {"quota_list": []}),
}
OTHER = {
    "/cgi-bin/idconvert/unionid_to_external_userid": Api(POST, identities.from_unionid_or_pending),
    "/cgi-bin/corp/getopenapprovaldata": Api(POST, approvals.engine),
    "/cgi-bin/oa/gettemplatedetail": Api(POST, approvals.template, {"template_names": []}),
    "/cgi-bin/oa/applyevent": Api(POST, approvals.apply),
    "/cgi-bin/oa/getapprovalinfo": Api(POST, approvals.numbers, {"sp_no_list": []}),
    "/cgi-bin/oa/getapprovaldetail": Api(POST, approvals.detail),
}


def _as_of_now(handle: Handle) -> Handle:
    """Customers whose day to refuse has passed are with the new member, whoever asks first."""

    def settled(call: Call) -> Json | web.Response:
        transfers.settle(call.world, call.corp)
        return handle(call)

    return settled


APIS = {
    path: replace(api, handle=_as_of_now(api.handle))
    for path, api in ({f"{PREFIX}/{name}": api for name, api in OWN.items()} | OTHER).items()
}
