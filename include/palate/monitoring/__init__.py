"""The bell, the watch, alarms, the freshness target."""

from palate.monitoring import alarms, backlog, bell, freshness, waiting, watch
from palate.monitoring.freshness import Freshness

__all__ = ["Freshness", "alarms", "backlog", "bell", "freshness", "waiting", "watch"]
