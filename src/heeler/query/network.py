"""Networks as regexes over the text of an address, which every engine can search and no extension is needed for.

An IPv6 address can be written in many ways: groups without their leading zeros, ``::`` for a run of zero groups, the
last two groups as an IPv4 address. The regex knows them all, and nothing that `ipaddress` would not read.
"""

import ipaddress
import re
from dataclasses import dataclass

LOOKS_LIKE = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")
"""A value that is meant as a network."""


def address_pattern(network: str) -> str:
    """Return the regex that the text of an address of ``network`` matches as a whole, and no other text.

    Raises `ValueError` where ``network`` is none. Bits behind the prefix are taken for zero.
    """
    read = ipaddress.ip_network(network, strict=False)
    first = int(read.network_address)
    if isinstance(read, ipaddress.IPv4Network):
        fields = [_numbers(_V4, first, read.prefixlen, at) for at in range(4)]
        return rf"\A{'[.]'.join(fields)}\z"
    groups = [_numbers(_V6, first, read.prefixlen, at) for at in range(_GROUPS)]
    zero = [_holds_zero(first, read.prefixlen, at) for at in range(_GROUPS)]
    return rf"\A(?:{'|'.join(_forms(groups, zero, _tail(first, read.prefixlen)))})\z"


@dataclass(frozen=True, slots=True)
class _Form:
    """How an address is written: parts of ``bits``, ``total`` in all, and what any part may be."""

    bits: int
    total: int
    anything: str


_V4 = _Form(8, 32, "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])")
_V6 = _Form(16, 128, "[0-9a-fA-F]{1,4}")
_GROUPS = 8


def _tail(first: int, prefix: int) -> str:
    """Return what the last two groups may be, written as an IPv4 address."""
    return "[.]".join(_numbers(_V4, first & 0xFFFFFFFF, max(prefix - 96, 0), at) for at in range(4))


def _numbers(form: _Form, first: int, prefix: int, at: int) -> str:
    """Return a regex for the numbers that part ``at`` of an address may be."""
    fixed = min(max(prefix - at * form.bits, 0), form.bits)
    if fixed == 0:
        return form.anything
    low = (first >> (form.total - (at + 1) * form.bits)) & ((1 << form.bits) - 1)
    count = 1 << (form.bits - fixed)
    if form is _V6:
        return _hexadecimal(low, count)
    return str(low) if count == 1 else f"(?:{'|'.join(str(low + one) for one in range(count))})"


def _hexadecimal(low: int, count: int) -> str:
    """Return a regex for the groups from ``low`` on, a power of two many, with or without leading zeros."""
    digits, texts = f"{low:04x}", []
    free = (count.bit_length() - 1) // 4  # digits that may be anything
    if part := (count.bit_length() - 1) % 4:
        head = int(digits[3 - free], 16)
        digit = "[" + "".join(f"{head + one:x}{head + one:X}" for one in range(1 << part)) + "]"
    else:
        digit = ""
    fixed = digits[: 4 - free - bool(part)]
    pattern = [*(_digit(one) for one in fixed), *([digit] if digit else []), *["[0-9a-fA-F]"] * free]
    # Leading zeros may be left out, so each shorter form is one more text.
    for length in range(4, 0, -1):
        left = pattern[: 4 - length]
        if all(_may_be_zero(one) for one in left):
            texts.append("".join(pattern[4 - length :]))
    return f"(?:{'|'.join(texts)})"


def _digit(char: str) -> str:
    return f"[{char}{char.upper()}]" if char.isalpha() else char


def _may_be_zero(digit: str) -> bool:
    return digit == "0" or (digit.startswith("[") and "0" in digit)


def _holds_zero(first: int, prefix: int, at: int) -> bool:
    fixed = min(max(prefix - at * 16, 0), 16)
    return fixed == 0 or (first >> (128 - (at + 1) * 16)) & 0xFFFF == 0


def _forms(groups: list[str], zero: list[bool], tail: str) -> list[str]:
    """Return a regex for each way to write an address of these groups, by where ``::`` stands."""
    ends = (groups[6:], [tail])  # the last two groups, in hexadecimal or as an IPv4 address
    forms = [":".join([*groups[:6], *end]) for end in ends]
    for left in range(_GROUPS):
        for right in range(_GROUPS - left):
            if not all(zero[left : _GROUPS - right]):
                continue
            head, rest = ":".join(groups[:left]), groups[_GROUPS - right :]
            forms.append(f"{head}::{':'.join(rest)}")
            if right >= 2:
                forms.append(f"{head}::{':'.join([*rest[:-2], tail])}")
    return forms
