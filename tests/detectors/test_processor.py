"""Whether 8-bit products are added exactly is read from what the kernel tells; in doubt they are not."""

from pathlib import Path

import pytest

from detectors.processor import adds_8_bit_products_exactly

HEAD = "processor\t: 0\nmodel name\t: some processor\n"


@pytest.mark.parametrize(
    ("told", "exact"),
    [
        (f"{HEAD}flags\t\t: fpu avx2 avx512f avx512_vnni\n", True),
        (f"{HEAD}flags\t\t: fpu avx2 avx_vnni\nprocessor\t: 1\nflags\t\t: fpu avx2 avx_vnni\n", True),
        (f"{HEAD}flags\t\t: fpu avx2 avx_vnni\nprocessor\t: 1\nflags\t\t: fpu avx2\n", False),
        (f"{HEAD}flags\t\t: fpu avx2 avx512f\n", False),
        (f"{HEAD}flags\t\t:\n", False),
        (f"{HEAD}bugs\t\t: avx512_vnni\nFeatures\t: asimd\n", False),
        ("", False),
        (None, False),
    ],
)
def test_all_processors_must_say_so(tmp_path: Path, told: str | None, exact: bool) -> None:
    path = tmp_path / "cpuinfo"
    if told is not None:
        path.write_text(told)
    assert adds_8_bit_products_exactly(path) is exact
