"""The compliance report of a month: what was run, told, changed, accepted and proven."""
