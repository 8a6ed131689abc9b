# SPDX-License-Identifier: Apache-2.0
"""How old refreshed prices and quotas are, in words. The caller passes the date."""

import datetime as dt

from hubstack.inputs.refreshed import OLD_DAYS


def age_line(name: str, as_of: dt.date, today: dt.date) -> str:
    """Return a file's date and age, with what to do if it is old."""
    days = (today - as_of).days
    age = "today" if days == 0 else "1 day ago" if days == 1 else f"{days} days ago"
    if days < 0:
        return f"{name} is dated {as_of}, which is in the future: run `hubstack refresh`"
    line = f"{name} was read from Google on {as_of} ({age})"
    return f"{line}, which is old: run `hubstack refresh`" if days > OLD_DAYS else line
