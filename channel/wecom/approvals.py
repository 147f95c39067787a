"""Approvals: those of the engine that we start (审批流程引擎), and those of WeCom's own app.

https://developer.work.weixin.qq.com/document/path/91956
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pydantic import AliasChoices, Field, field_validator

from channel.answers import Answer, read
from channel.platform import PlatformClient

NUMBERS_A_PAGE = 100
BY_TEMPLATE = 1


class EngineStatus(IntEnum):
    UNDER_WAY = 1
    APPROVED = 2
    REFUSED = 3
    CANCELLED = 4


class EngineItem(Answer):
    """One approver of a node."""

    name: str = Field(default="", validation_alias="ItemName", repr=False)
    userid: str = Field(validation_alias="ItemUserId")
    status: int = Field(validation_alias="ItemStatus")
    speech: str = Field(default="", validation_alias="ItemSpeech", repr=False)
    decided_at: int = Field(default=0, validation_alias="ItemOpTime")


class _EngineItems(Answer):
    items: tuple[EngineItem, ...] = Field(default=(), validation_alias="Item")

    @field_validator("items", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value


class EngineNode(Answer):
    """``attribute``: 1 any of them, 2 all of them."""

    status: int = Field(validation_alias="NodeStatus")
    attribute: int = Field(default=1, validation_alias="NodeAttr")
    type: int = Field(default=1, validation_alias="NodeType")
    approvers: _EngineItems = Field(default=_EngineItems(), validation_alias="Items")


class _EngineNodes(Answer):
    nodes: tuple[EngineNode, ...] = Field(default=(), validation_alias="ApprovalNode")

    @field_validator("nodes", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value


class EngineApproval(Answer):
    """What became of the approval that our page started as ``third_no``."""

    third_no: str = Field(validation_alias="ThirdNo")
    template_id: str = Field(default="", validation_alias="OpenTemplateId")
    status: EngineStatus = Field(validation_alias="OpenSpstatus")
    applied_at: int = Field(default=0, validation_alias="ApplyTime")
    applicant: str = Field(default="", validation_alias="ApplyUserId")
    step: int = Field(default=0, validation_alias=AliasChoices("approverstep", "ApproverStep"))
    nodes: _EngineNodes = Field(default=_EngineNodes(), validation_alias="ApprovalNodes")


class _EngineAnswer(Answer):
    data: EngineApproval


class ApprovalTemplate(Answer):
    template_names: tuple[dict[str, str], ...] = ()
    template_content: dict[str, Any] = Field(default_factory=dict)


class ApprovalDetail(Answer):
    """``sp_status``: 1 under way, 2 approved, 3 refused, 4 taken back, 6 taken back after
    approval, 7 deleted, 10 paid."""

    sp_no: str
    sp_name: str = ""
    sp_status: int
    template_id: str = ""
    apply_time: int = 0
    applyer: dict[str, Any] = Field(default_factory=dict)
    sp_record: tuple[dict[str, Any], ...] = ()
    notifyer: tuple[dict[str, Any], ...] = ()
    apply_data: dict[str, Any] = Field(default_factory=dict, repr=False)
    comments: tuple[dict[str, Any], ...] = Field(default=(), repr=False)


class _DetailAnswer(Answer):
    info: ApprovalDetail


class ApprovalNumberPage(Answer):
    sp_no_list: tuple[str, ...] = ()
    new_next_cursor: str = ""


class _Applied(Answer):
    sp_no: str


@dataclass(frozen=True, slots=True)
class Application:
    """``contents`` as the template's controls want them; approvers are the template's own."""

    creator_userid: str
    template_id: str
    contents: Sequence[Mapping[str, Any]]
    summary: Sequence[str]

    def body(self) -> dict[str, Any]:
        lines = [{"summary_info": [{"text": text, "lang": "zh_CN"}]} for text in self.summary]
        return {
            "creator_userid": self.creator_userid,
            "template_id": self.template_id,
            "use_template_approver": BY_TEMPLATE,
            "apply_data": {"contents": list(self.contents)},
            "summary_list": lines,
        }


class ApprovalCalls(PlatformClient):
    def get_engine_approval(self, third_no: str) -> EngineApproval:
        """https://developer.work.weixin.qq.com/document/path/90269"""
        answer = self._look_up("/cgi-bin/corp/getopenapprovaldata", {"thirdNo": third_no})
        return read(_EngineAnswer, answer).data

    def get_approval_template(self, template_id: str) -> ApprovalTemplate:
        """https://developer.work.weixin.qq.com/document/path/91982"""
        answer = self._look_up("/cgi-bin/oa/gettemplatedetail", {"template_id": template_id})
        return read(ApprovalTemplate, answer)

    def apply_for(self, application: Application) -> str:
        """The number of the approval.

        https://developer.work.weixin.qq.com/document/path/91853
        """
        answer = self._change("/cgi-bin/oa/applyevent", application.body())
        return read(_Applied, answer).sp_no

    def walk_approval_numbers(
        self, start_time: int, end_time: int, filters: Mapping[str, str] | None = None
    ) -> Iterator[ApprovalNumberPage]:
        """Of at most 31 days.

        https://developer.work.weixin.qq.com/document/path/91816
        """
        wanted: dict[str, Any] = {
            "starttime": str(start_time),
            "endtime": str(end_time),
            "size": NUMBERS_A_PAGE,
        }
        if filters:
            wanted["filters"] = [{"key": key, "value": value} for key, value in filters.items()]

        def ask(cursor: str) -> ApprovalNumberPage:
            body = wanted | {"new_cursor": cursor}
            return read(ApprovalNumberPage, self._look_up("/cgi-bin/oa/getapprovalinfo", body))

        return self._pages(ask, lambda page: page.new_next_cursor)

    def get_approval(self, sp_no: str) -> ApprovalDetail:
        """https://developer.work.weixin.qq.com/document/path/91983"""
        answer = self._look_up("/cgi-bin/oa/getapprovaldetail", {"sp_no": sp_no})
        return read(_DetailAnswer, answer).info
