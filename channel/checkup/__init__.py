"""What works between us and the platforms and what does not, account by account.

The command ``xinqiao doctor`` and the operations page show the same findings.
"""
