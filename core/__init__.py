"""Technical ground under every room; knows no business noun."""
