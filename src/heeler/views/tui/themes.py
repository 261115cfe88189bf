"""Two quiet palettes: grey for what stays, blue for traffic, and colour only where something is to be said."""

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="heeler-dark",
    primary="#6cb0f0",
    secondary="#8fa3bf",
    accent="#e0af68",
    foreground="#d3d9e3",
    background="#11151c",
    surface="#171c25",
    panel="#1f2630",
    success="#7fc490",
    warning="#e3b25f",
    error="#f07178",
    dark=True,
    variables={"quiet": "#7d8798", "line": "#343d4b", "alarm": "#b3323c", "on-alarm": "#ffffff"},
)
LIGHT: Final = Theme(
    name="heeler-light",
    primary="#1f6fb8",
    secondary="#52637a",
    accent="#96610a",
    foreground="#232a34",
    background="#fbfbf9",
    surface="#f1f2f0",
    panel="#e5e8ea",
    success="#2b7d42",
    warning="#96610a",
    error="#c0303b",
    dark=False,
    variables={"quiet": "#667080", "line": "#c3cad2", "alarm": "#c0303b", "on-alarm": "#ffffff"},
)


def preferred(colorfgbg: str) -> Theme:
    """Return the theme that suits a terminal's ``COLORFGBG`` (``15;0``; the last number is the background)."""
    return LIGHT if colorfgbg.rpartition(";")[2] in {"7", "15"} else DARK
