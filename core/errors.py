"""How any room refuses: a code for programs, a sentence for people, a status for HTTP."""

from http import HTTPStatus


class DomainError(Exception):
    """A refusal that a person can act on. Subclasses set ``code`` and ``message``.

    ``message`` may hold ``{fields}`` that the raiser fills with keyword arguments.
    """

    code = "refused"
    message = "操作没有完成，请稍后再试"
    status = HTTPStatus.BAD_REQUEST

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        self.sentence = self.message.format(**fields) if fields else self.message
        super().__init__(f"{self.code}: {self.sentence}")


class BadInput(DomainError):
    code, message = "bad_input", "填写的内容不对，请检查后再提交"
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class NotSignedIn(DomainError):
    code, message = "not_signed_in", "请先登录"
    status = HTTPStatus.UNAUTHORIZED


class Forbidden(DomainError):
    code, message = "forbidden", "您没有办理这项操作的权限，请联系管理员"
    status = HTTPStatus.FORBIDDEN


class NotFound(DomainError):
    """Also the answer to a stranger: what one may not see does not exist for one."""

    code, message = "not_found", "没有找到要看的内容：链接可能不完整，或它不属于您"
    status = HTTPStatus.NOT_FOUND


class Conflict(DomainError):
    code, message = "conflict", "这项内容刚刚被改动过，请刷新后再试"
    status = HTTPStatus.CONFLICT


class TooMany(DomainError):
    code, message = "too_many", "操作太频繁，请稍后再试"
    status = HTTPStatus.TOO_MANY_REQUESTS


class Unavailable(DomainError):
    code, message = "unavailable", "服务暂时不可用，请稍后再试"
    status = HTTPStatus.SERVICE_UNAVAILABLE
