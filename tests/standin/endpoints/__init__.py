"""What each path does: functions from a Call to an Answer, listed in routes.py."""
