"""Names for people nobody named: the same number always gets the same name."""

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹"
GIVEN_SHORT = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚"
GIVEN_LONG = "秀兰桂英建国志强婷婷晓东文博雅琴子轩雨桐浩然思远欣怡俊杰海燕小红国庆春梅佳琪振华玉兰"


def name_of(number: int) -> str:
    surname = SURNAMES[number % len(SURNAMES)]
    if number % 3:
        pair = number * 5 % (len(GIVEN_LONG) // 2) * 2
        return surname + GIVEN_LONG[pair : pair + 2]
    return surname + GIVEN_SHORT[number * 5 % len(GIVEN_SHORT)]
