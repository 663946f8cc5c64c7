"""The dashboards, built in Python and committed as the JSON that Grafana reads."""

import warnings

# The newer schema is only for Grafana 12 and later; files of the older one are read by both.
warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
