"""The sentences that people and programs read about alerts, word for word the same on every screen."""

from heeler.units import zoned
from heeler.views.snapshot import AlertLine


def alert_sentence(line: AlertLine) -> str:
    """Return the sentence that tells of one transition of an alert."""
    name = line.alert[:1].upper() + line.alert[1:]
    time = zoned(line.time_s, line.zone_minutes)
    if line.state == "triggered":
        return f"{name} generated an alert - hits = {line.hits}, triggered at {time}"
    return f"{name} alert recovered - hits = {line.hits}, recovered at {time}"
