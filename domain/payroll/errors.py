"""How payroll refuses."""

from core.errors import BadInput, Conflict, NotFound
from domain.audit.refusals import NotYours


class BatchNotDraft(Conflict):
    code, message = "batch_not_draft", "这份工资表已经不在核对阶段，请刷新页面看最新状态"


class BatchAlreadyPublished(Conflict):
    code, message = "batch_already_published", "该批次已经发布，不能重复发布"


class BatchNotPublished(Conflict):
    code, message = "batch_not_published", "这份工资表还没有发布"


class NoticeUnderWay(Conflict):
    code, message = "notice_under_way", "通知还没有发完，发完 12 小时后可以提醒"


class RemindedLately(Conflict):
    code, message = "reminded_lately", "12 小时内已经通知过，{when} 以后可以提醒"


class NoticeTimeWrong(BadInput):
    code, message = "notice_time_wrong", "通知时间要在现在之后、{days} 天以内"


class RowsStillHeld(Conflict):
    code = "rows_still_held"
    message = "还有 {count} 行没有处理：请逐行改正，或选择不发，然后再发布"


class NothingToPublish(Conflict):
    code, message = "nothing_to_publish", "这份工资表没有可以发布的工资条"


class PeriodMissing(BadInput):
    code = "period_missing"
    message = "没有读出这是哪个月的工资，请先填写月份（如 2026-03）"


class NoticesNotOpen(Conflict):
    code, message = "notices_not_open", "单位还没有开通公众号通知，请联系银行"


class SheetUploadedAlready(Conflict):
    code = "sheet_uploaded_already"
    message = "这个文件已经上传过（第 {batch_id} 号批次）。要重新上传，请先放弃那一批"


class UploadEmpty(BadInput):
    code, message = "upload_empty", "没有收到文件，请选择工资表（xlsx、xls 或 csv）后再上传"


class UploadBlank(BadInput):
    code = "upload_blank"
    message = "“{file}”是空文件（0 字节）。请看看是不是选错了文件，或还没有保存、下载完，再重新上传"


class UploadTooLarge(BadInput):
    code = "upload_too_large"
    message = "文件超过 {megabytes} MB，请删去无关的工作表和图片后再上传"


class RowDecided(Conflict):
    code, message = "row_decided", "这一行刚刚已经处理过，请刷新页面"


class EmployeeHasSlip(Conflict):
    code = "employee_has_slip"
    message = (
        "这位员工在本批里已经有一张工资条，来自“{sheet}”第 {row} 行。"
        "请改选另一个人；这一行确实不该发，就选“这一行不发”"
    )


class EmployeeNotOnRoster(NotFound):
    code, message = "employee_not_on_roster", "花名册里没有这位员工，请先更新花名册"


class BatchNotYours(NotYours):
    code, message = "batch_not_yours", "没有找到这一批工资条，请从工资条列表里重新打开"
    action = "payroll.batch.refused"


class RowNotYours(NotYours):
    code, message = "row_not_yours", "没有找到这一行，请回到这一批的核对页面"
    action = "payroll.row.refused"


class PayslipNotYours(NotYours):
    """To employees, whose published slips never go away."""

    code, message = "payslip_not_yours", "没有找到这张工资条：链接可能不完整，或它不属于您"
    action = "payroll.payslip.refused"


class SlipNotYours(PayslipNotYours):
    """To HR, who may have looked at a draft."""

    code, message = "slip_not_yours", "没有找到这张工资条：它所在的那一批可能没有发布就已放弃"


class QuestionNotYours(NotYours):
    code, message = "question_not_yours", "没有找到这个提问：链接可能不完整，或它不属于您"
    action = "payroll.question.refused"


class QuestionEmpty(BadInput):
    code, message = "question_empty", "请写下要问的内容（不超过 500 字）"


class AnswerEmpty(BadInput):
    code, message = "answer_empty", "还没有写回复的内容，请写好后再发送"


class AnswerTooLong(BadInput):
    code = "answer_too_long"
    message = "回复有 {count} 字，最多 {longest} 字：请删短一些，或分两次回复"


class QuestionsTooMany(Conflict):
    code, message = "questions_too_many", "这张工资条上还有未回复的提问，请等人事回复后再问"
