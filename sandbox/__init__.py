"""A separate program that plays WeChat and WeCom, and the demo data."""
