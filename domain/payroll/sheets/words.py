"""What the words above the columns of Chinese payroll sheets mean. Facts as data."""

import re
import unicodedata
from functools import lru_cache

from .report import ItemKind

_UNIT = re.compile(r"[(\[【](单位[:：]?)?(元|人民币|RMB|¥|元/月)[)\]】]$|:$", re.IGNORECASE)


@lru_cache(maxsize=8192)
def bare(text: str) -> str:
    """A header word without blanks, line breaks and a unit in brackets."""
    word = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    return _UNIT.sub("", word).strip("*:")


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})", re.IGNORECASE)


_ROLES = _words(
    r"(?P<name>(员工|职工|人员|教师|教职工|工人|农民工|本人)?(姓名|名字)|name|employee ?name)"
    r"|(?P<phone>(本人|员工|联系)?(手机|移动电话)(号码?|电话)?|(联系)?电话(号码)?|联系方式"
    r"|mobile|phone)"
    r"|(?P<id_no>(居民|公民)?身份证(件)?(号码?)?|(公民)?身份号码|(有效)?证件(号码?|编号)"
    r"|id ?(no|number|card)\.?)"
    r"|(?P<emp_no>工号|员工(号|编号|代码|工号)|(职工|人员|教师|教职工|教工)(号|编号|编码|代码|工号)"
    r"|工牌号|胸卡号|employee ?(no|id)\.?)"
    r"|(?P<bank_card>((工资|银行|收款|个人|开户|社保)?(银行)?卡号|银行卡(号码)?|工资卡(号码)?"
    r"|(工资|银行|收款|个人|银行卡|开户)?[账帐](号|户)))"
    r"|(?P<dept>(所属|所在|工作)?(部门|科室|处室|班组|车间|学部|院系)(名称)?|年级组|教研组|项目部"
    r"|department|dept)"
    r"|(?P<ignored>序号?|序列|no\.?|行号|领款人|签字\(盖章\)"
    r"|(本人|领款人?|员工|工人|领取人?|收款人?)?(签名|签字|签收|签章|盖章|手印|确认)(栏|处)?)"
)
# Longer words around an identifier. Whatever they are, they must not be shown as a pay item; those
# of other people (紧急联系人电话) are not even read.
_SOUNDS_LIKE = _words(
    r"(?!.*(费|补|贴|扣|奖|元))"
    r"(?:(?P<ignored>.*(紧急|家属|配偶|联系人|介绍人|组长|队长|班长|监护|家长).*)"
    r"|.*(?P<name>姓名)|.*(?P<id_no>身份证|证件号)|.*(?P<phone>手机|电话)"
    r"|.*(?P<bank_card>卡号|[账帐]号))"
)
_WEAK_EMP_NO = _words(r"编号|编码|代码|号码")
_WEAK_NAME = _words(r"户名|开户名|收款户名|领款人|收款人|人员")

_NET_RANKS = (
    (
        4,
        _words(
            r"(本月|当月|本次|本期)?实(发|领|付|得|收)(合计|总额|总计|总数)"
            r"|实发(工资合计|合计数)|net ?pay"
        ),
    ),
    (
        3,
        _words(
            r"(本月|当月|本次|本期)?(应)?实(发|领|付|得|收)"
            r"(工资(额|数|金额)?|金额|数额?|薪资|薪酬|薪金|额|款|现金)?"
        ),
    ),
    (
        2,
        _words(
            r"(税后|净发|净)(工资|实发|收入|金额|薪资|额)|到手(工资|金额|薪资)?"
            r"|本次(发放|支付)(金额|工资)|净发数?"
            r"|(?!.*(时间|日期|天|人数|签|率|差|大写|户|万|千)).{0,6}实(发|领|付|得|际发放|际支付|际到账).{0,6}"
        ),
    ),
    (
        1,
        _words(
            r"(银行)?(代发|打卡|转账|卡发)(工资|金额|数|合计)?"
            r"|发放(金额|工资|合计)|支付金额|本月发放"
        ),
    ),
)
_EARNINGS_TOTAL = _words(
    r"(本月|当月)?应(发|付|得|领)(工资|金额|合计|小计|总计|总额|数|薪资|薪酬|额|工资合计|项目?合计|收入)?"
    r"|(工资|收入|税前|薪资|增项|加项)(合计|总额|小计|总计)|税前(工资|收入)|gross ?pay"
)
_DEDUCTIONS_TOTAL = _words(
    r"(本月|当月)?(各项)?(应|代|实)?(扣|代扣|代缴|扣除|扣缴|扣发|扣减|减项|代扣代缴)(款项?|项目?|金额)?(合计|小计|总计|总额)"
    r"|合计扣款|(应|总)扣(款|金额|额)?|减项(合计|小计)|total ?deductions?"
)
_GROUP_TOTAL = _words(r"合计|小计|总计|共计")
_EARNING_GROUP = _words(
    r"应发|应付|收入|增项|加项|发放项|补贴|津贴|奖|工资项目|工资构成|计件|加班|earning"
)
_DEDUCTION_GROUP = _words(r"扣|代缴|减项|个人(缴|承担|部分)|五险|社保|三险|保险|公积金|deduction")
_EMPLOYER = _words(
    r"(单位|企业|公司)(缴|承担|部分|应缴|负担|养老|医疗|失业|工伤|生育|公积金|社保|成本|年金|五险)"
    r"|(人工|用工|单位|企业|总)成本"
)
_EMPLOYER_GROUP = _words(_EMPLOYER.pattern + r"|(^|/)(单位|企业|公司)($|/)")
_NOT_NOW = _words(r"^(?!.*(补|退|扣)).*(上月|上年|去年|上期|累计|差异|差额|环比|同比|预计|人均)")
_QUANTITY = _words(
    r"天数?$|小时|工时|时数|次数|数量|单价|件数|标准$|基数|比例|系数|节数|课时数|课时$|人数|出勤$"
    r"|考勤$|天\)$|\(天|分数|得分|评分|税率|级别|等级|档次|^岗位$|^职务$|职称|学历|性别|年龄|备注|说明"
    r"|开户行|银行$|支行|日期|时间|工种|班次|月份|期间|年月|籍贯|学科|类别|状态|地址|邮箱|日薪$|日工资$"
    r"|时薪$|教龄$|工龄$|薪级$|岗级$|^单位$|身份$|^工?数$"
)
_EARNING = _words(
    r"补贴|津贴|补助|补发|奖|报销|工资|薪|^基本|绩效|加班|提成|全勤|计件|工龄|课时费|课酬|劳务|费用补|慰问"
    r"|高温|夜班|[餐房交话车]补|值班|班主任|职务|岗位|金额$|补$|补差|教龄|导师|交通|通讯|福利|分红"
    r"|超课时"
)
_DEDUCTION = _words(
    r"扣|个税|所得税|个人税|养老|医疗|医保|失业|公积金|社保|五险|三险|年金|罚|借支|预支|借款|水电|水费"
    r"|电费|房租|伙食|餐费|饭费|生活费|会费|工会|病假|事假|缺勤|迟到|旷工|请假|还款|赔偿|押金|住宿|保险"
)
_SURELY_EARNING = _words(r"补贴|津贴|补助|补发|奖|报销|加班|福利|餐补|房补|补差|退|返还")
_TITLE = _words(
    r"[:：]|\d{4}\s*年|年\s*\d+\s*月|单位\(|制表|填报|工资(发放)?(明细)?表|发放表|花名册|签收表|日期"
)


def role_of(text: str) -> str | None:
    """Which identifier or idle column this word stands above."""
    # Most cells of a sheet are numbers: the last character tells, and no such word ends in a digit.
    return _role_of(text) if text and text[-1] not in "0123456789" and len(text) <= 24 else None


@lru_cache(maxsize=8192)
def _role_of(text: str) -> str | None:
    word = bare(text)
    match = _ROLES.fullmatch(word) or _SOUNDS_LIKE.match(word)
    return match.lastgroup if match else None


def is_exact_role(text: str) -> bool:
    return _ROLES.fullmatch(bare(text)) is not None


def is_weak_emp_no(text: str) -> bool:
    return _WEAK_EMP_NO.fullmatch(bare(text)) is not None


def is_weak_name(text: str) -> bool:
    return _WEAK_NAME.fullmatch(bare(text)) is not None


def net_rank(leaf: str, group: str = "") -> int:
    """0: not the net pay; otherwise the higher the surer."""
    if _NOT_NOW.search(leaf) or _NOT_NOW.search(group):
        return 0
    word = bare(leaf)
    return next((rank for rank, words in _NET_RANKS if words.fullmatch(word)), 0)


def total_of(leaf: str, group: str) -> str:
    """``earnings`` or ``deductions`` when the column is the sheet's own total of them."""
    word = bare(leaf)
    if _NOT_NOW.search(word):
        return ""
    if _GROUP_TOTAL.fullmatch(word):
        if re.search(r"扣|减项|代缴", group):
            return "deductions"
        return "earnings" if re.search(r"应发|应付|增项|加项|收入", group) else ""
    if _DEDUCTIONS_TOTAL.fullmatch(word):
        return "deductions"
    return "earnings" if _EARNINGS_TOTAL.fullmatch(word) else ""


def is_quantity(leaf: str) -> bool:
    return _QUANTITY.search(bare(leaf)) is not None


def kind_of(leaf: str, group: str) -> ItemKind | None:
    """What the words alone say; None when they say nothing."""
    word = bare(leaf)
    if _EMPLOYER.search(word) or _EMPLOYER_GROUP.search(group) or _NOT_NOW.search(word):
        return "info"
    if is_quantity(word):
        return "info"
    if _DEDUCTION_GROUP.search(group) and not _EARNING_GROUP.search(group):
        return "deduction"
    if re.search(r"应发|应付|增项|加项|收入", group):
        return "earning"
    if _DEDUCTION.search(word) and not _SURELY_EARNING.search(word):
        return "deduction"
    if _EARNING.search(word) or _EARNING_GROUP.search(group):
        return "earning"
    return None


def is_explicit_group(group: str) -> bool:
    """A group that says outright on which side of the sum its columns stand."""
    return re.search(r"应发|应付|应扣|扣款|扣除|代扣|减项|增项|加项|扣缴", group) is not None


def is_group(text: str) -> bool:
    word = bare(text)
    return bool(_EARNING_GROUP.search(word) or _DEDUCTION_GROUP.search(word)) or (
        re.search(r"考勤|出勤|项目|其他|其它|工程|甲|乙|丙|[A-Z一二三四]$", word) is not None
    )


def is_other_unit(text: str) -> bool:
    """A sheet in 万元 would be read ten thousand times too small."""
    return re.search(r"单位\s*[:：]?\s*[(（]?(万|千|百)元", text) is not None


def is_title(text: str) -> bool:
    return _TITLE.search(text) is not None


def is_number(text: str) -> bool:
    return re.fullmatch(r"[￥¥(\-+=]?[\d.,%]+[)%元]?|=.*", text) is not None


def is_header_text(text: str) -> bool:
    return not is_number(text) and len(text) <= 30
