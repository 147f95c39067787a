"""People who do not exist: their identifiers pass every check and can belong to nobody."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

# 369999 is no administrative area; numbers from 154 on are assigned to no mobile network.
_AREA, _NETWORK = "369999", "154"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛"
)
_FIRST = "文志建国海晓丽秀春红永小玉桂明爱金冬德光家庆思雨子一佳俊雅静欣浩宇天"
_SECOND = "华军平英芳敏强磊洋勇艳杰娟涛超霞刚玲飞辉鹏婷波慧斌燕萍宁峰兰莹琳晨轩涵"


@dataclass(frozen=True, slots=True)
class Employee:
    emp_id: str
    emp_no: str
    name: str
    phone: str
    id_no: str
    bank_card: str
    dept: str
    joined_on: str
    left_on: str = ""

    @property
    def status(self) -> str:
        return "离职" if self.left_on else "在职"


def id_number(birthday: str, sequence: int) -> str:
    first_17 = f"{_AREA}{birthday}{sequence:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(first_17, _WEIGHTS, strict=True))
    return first_17 + "10X98765432"[total % 11]


def names(chance: random.Random) -> Iterator[str]:
    """Never the same name twice."""
    used = {"刘洋"}  # kept for the two namesakes of the school
    while True:
        name = chance.choice(_SURNAMES) + chance.choice(_FIRST)
        if chance.random() < 0.8:
            name += chance.choice(_SECOND)
        if name not in used:
            used.add(name)
            yield name


def employees(
    chance: random.Random, prefix: str, series: int, depts: list[str], fresh: Iterator[str]
) -> list[Employee]:
    """One employee for each entry of ``depts``; ``series`` keeps enterprises apart."""
    return [
        Employee(
            emp_id=f"{prefix}-{number:04d}",
            emp_no=f"{series}{number:05d}" if prefix != "F" else f"{number:06d}",
            name=next(fresh),
            phone=f"{_NETWORK}{series}{number:07d}",
            id_no=id_number(_birthday(chance), number % 1000),
            bank_card=f"62{series}{chance.randrange(10**15):015d}0",
            dept=dept,
            joined_on=f"{chance.randint(2005, 2025)}-09-01",
        )
        for number, dept in enumerate(depts, start=1)
    ]


def _birthday(chance: random.Random) -> str:
    return f"{chance.randint(1966, 2002)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"
