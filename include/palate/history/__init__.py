"""The past loaded again (reload), or rebuilt (rebuild)."""

from palate.history import rebuild, rebuild_report, reload, reload_share

__all__ = ["rebuild", "rebuild_report", "reload", "reload_share"]
