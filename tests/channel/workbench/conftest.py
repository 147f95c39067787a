import io
from urllib.parse import urlsplit

import pytest

from domain.payroll import service
from domain.payroll.queries import list_held
from tests.factories import make_channel_account, make_employee, make_hr

HEADER = "工号,姓名,手机号,基本工资,扣款,实发工资"
ZHANG = "001,张三,13800000001,6000.00,100.00,5900.00"
LI = "002,李四,13800000002,5000.00,0,5000.00"
STRANGER = "009,赵六,13800000009,4000.00,0,4000.00"

HOUSE = "http://desk.test"
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 812}
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
TAPPED = "a, button, input:not([type=hidden]), textarea, summary"
TOO_SMALL = f"""[...document.querySelectorAll("{TAPPED}")]
    .filter(one => one.offsetParent && !one.closest(".choice, .held__pick, .switch, .skip"))
    .filter(one => one.getBoundingClientRect().height < 43.5)
    .map(one => one.outerHTML.slice(0, 80))"""


def sheet(*rows, title="2026年3月工资表"):
    return "\n".join([title, HEADER, *rows]).encode()


@pytest.fixture
def account(session):
    return make_channel_account(name="demo-oa")


@pytest.fixture
def hr(client, account):
    """HR of an enterprise of two people, signed in at this browser."""
    make_employee(name="张三", phone="13800000001", emp_id="E-1", emp_no="001")
    make_employee(name="李四", phone="13800000002", emp_id="E-2", emp_no="002")
    actor = make_hr()
    client.sign_in("/hr", user_id=actor.id)
    return actor


@pytest.fixture
def read(hr):
    """A sheet that was uploaded and read: its batch's id."""

    def reads(*rows, title="2026年3月工资表", file_name="三月工资.csv"):
        batch = service.upload_sheet(hr, sheet(*rows, title=title), file_name)
        service.read_sheet(batch.id)
        return batch.id

    return reads


@pytest.fixture
def held(hr):
    """The ids of the rows of a batch that still wait."""
    return lambda batch_id: [view.id for view in list_held(hr, batch_id)]


def file(content, name):
    return (io.BytesIO(content), name)


@pytest.fixture
def desk_page(app, client, browser):
    """A browser at the desk whose every request is answered by the test's own application."""
    complaints = []

    def answer(route):
        request = route.request
        parts = urlsplit(request.url)
        with app.app_context():
            reply = client.open(
                f"{parts.path}?{parts.query}",
                method=request.method,
                data=request.post_data_buffer,
                headers=[
                    (name, text) for name, text in request.headers.items() if name[:3] == "hx-"
                ],
                content_type=request.headers.get("content-type"),
            )
        headers = {name: value for name, value in reply.headers if name != "Set-Cookie"}
        route.fulfill(status=reply.status_code, headers=headers, body=reply.data)
        reply.close()

    page = browser.new_page(base_url=HOUSE, viewport=LAPTOP)
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else 0)
    page.route("**/*", answer)
    yield page
    page.close()
    assert complaints == []
