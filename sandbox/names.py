"""Names for people nobody named: the same number always gets the same name."""

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹"
SHORT = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚"
LONG = "秀兰桂英建国志强婷婷晓东文博雅琴子轩雨桐浩然思远欣怡俊杰海燕小红国庆春梅佳琪振华玉兰凤英"
GIVEN: list[str] = [*SHORT, *(LONG[at : at + 2] for at in range(0, len(LONG), 2))]


def name_of(number: int) -> str:
    """Different for the first thousand, as in a company of that size."""
    given = number * 5 + number // len(SURNAMES)
    return SURNAMES[number % len(SURNAMES)] + GIVEN[given % len(GIVEN)]
