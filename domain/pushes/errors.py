"""How pushing refuses."""

from core.errors import Conflict, NotFound


class CampaignNotFound(NotFound):
    code, message = "campaign_not_found", "没有找到这次发送"


class CampaignOver(Conflict):
    code, message = "campaign_over", "这次发送已经结束，不能再操作"


class CampaignNotPaused(Conflict):
    code, message = "campaign_not_paused", "这次发送没有暂停"


class NothingToResend(Conflict):
    code, message = "nothing_to_resend", "没有需要重新发送的人"
