"""Who notices: the bell, the watch, alarms, the promise of freshness."""

from palate.monitoring import alarms, backlog, bell, freshness, watch
from palate.monitoring.freshness import Freshness

__all__ = ["Freshness", "alarms", "backlog", "bell", "freshness", "watch"]
