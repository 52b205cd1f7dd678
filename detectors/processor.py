"""What the processor can do, as far as it matters for results."""

from functools import cache
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
_VNNI: Final = frozenset({"avx512_vnni", "avx_vnni"})


@cache
def adds_8_bit_products_exactly(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether sums of 8-bit products are taken in 32 bits (VNNI), and not in 16, which overflow.

    Only Linux tells; where nothing is told the answer is no, which is the safe one.
    """
    try:
        told = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = [set(line.partition(":")[2].split()) for line in told.splitlines() if line.startswith("flags")]
    return bool(flags) and all(one & _VNNI for one in flags)
