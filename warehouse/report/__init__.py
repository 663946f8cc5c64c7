"""The report of a sealed run: its facts, its charts, and the one page that shows them."""
