"""Who notices: the bell, the watch, alarms, the promise of freshness."""
