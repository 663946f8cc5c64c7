"""`tapewatch demo`: four mornings of a lender that does not exist."""
