"""How the directory refuses."""

from core.errors import BadInput, Conflict, Forbidden, NotFound, TooMany, Unavailable


class OrgPathTaken(Conflict):
    code, message = "org_path_taken", "机构路径 {path} 已经存在，请换一个"


class OrgUnknown(NotFound):
    code, message = "org_unknown", "没有找到机构 {path}"


class AccountNameTaken(Conflict):
    code, message = "account_name_taken", "渠道账号名 {name} 已经存在，请换一个"


class AccountTaken(Conflict):
    code = "account_taken"
    message = (
        "这个 appid（企业微信为 corpid 和 agentid）已经登记过：用 accounts list 查看，"
        "改密钥用 accounts rotate，停用的用 accounts enable 启用"
    )


class AccountInvalid(BadInput):
    code, message = "account_invalid", "渠道账号填写有误：{reason}"


class AccountUnknown(NotFound):
    code, message = "account_unknown", "没有找到渠道账号 {name}，或它已停用"


class AccountNotNamed(BadInput):
    code, message = "account_not_named", "链接不完整，请从公众号菜单或企业微信重新打开"


class NoAccountYet(Unavailable):
    code = "no_account_yet"
    message = "银行还没有接入公众号或企业微信，暂时不能使用，请联系银行管理员"


class BindingRefused(BadInput):
    """One sentence for every mismatch: it must not tell which of the three was right."""

    code = "binding_refused"
    message = (
        "姓名、手机号、身份证后六位与单位花名册不一致，请核对后再试；还不行请联系单位人事更新花名册"
    )


class BindingLocked(TooMany):
    code = "binding_locked"
    message = "核对次数太多，已暂停绑定，请一小时后或明天再试，也可以联系单位人事"


class BoundToAnotherWechat(Conflict):
    code = "bound_to_another_wechat"
    message = "您的员工信息已绑定另一个微信。如果换了微信，请联系单位人事先解除绑定"

    def __init__(self, employee_id: int) -> None:
        super().__init__()
        self.employee_id = employee_id


class InvitationRefused(Forbidden):
    code = "invitation_refused"
    message = "邀请已失效或已被使用，请联系银行客户经理重新邀请"


class UserUnknown(Forbidden):
    code = "user_unknown"
    message = "您还没有开通工作台，请联系银行客户经理开通"


class RosterEmpty(BadInput):
    code = "roster_empty"
    message = "花名册里没有可以导入的员工，请检查表头是否有“姓名”“手机号”“工号”等列"
