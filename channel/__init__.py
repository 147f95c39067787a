"""The gatehouse: all that speaks WeChat or WeCom."""
