"""Pages an employee opens in WeChat."""
