"""What the processor can do, as far as it matters for results."""

from functools import cache
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
_VNNI: Final = frozenset({"avx512_vnni", "avx_vnni"})


@cache
def has_vnni(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether Linux says that every x86 processor here has VNNI, which adds up 8-bit products in 32 bits.

    Without it onnxruntime adds them in 16 bits, which overflow, unless it is told to be exact. Where nothing is told
    the answer is no: that costs speed at most.
    """
    try:
        told = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = [set(line.partition(":")[2].split()) for line in told.splitlines() if line.startswith("flags")]
    return bool(flags) and all(one & _VNNI for one in flags)
