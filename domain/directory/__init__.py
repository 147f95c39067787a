"""Who is who: organisations, employees, users and roles, channel accounts, WeChat identities."""
