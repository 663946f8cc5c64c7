"""The data and the SQL over it: no Prefect, no network, no clock."""
