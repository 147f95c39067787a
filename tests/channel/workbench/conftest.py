import io

import pytest

from domain.payroll import service
from domain.payroll.queries import list_held
from tests.factories import make_channel_account, make_employee, make_hr

HEADER = "工号,姓名,手机号,基本工资,扣款,实发工资"
ZHANG = "001,张三,13800000001,6000.00,100.00,5900.00"
LI = "002,李四,13800000002,5000.00,0,5000.00"
STRANGER = "009,赵六,13800000009,4000.00,0,4000.00"


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
