"""Every choice an operator makes, typed once: `load`, `model`, `kpis`, `errors`. Knows nobody."""
