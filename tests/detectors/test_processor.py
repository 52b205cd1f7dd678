"""Whether there is VNNI is read from what the kernel tells; in doubt there is none."""

from pathlib import Path

import pytest

from detectors.processor import has_vnni

HEAD = "processor\t: 0\nmodel name\t: some processor\n"


@pytest.mark.parametrize(
    ("told", "vnni"),
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
def test_all_processors_must_say_so(tmp_path: Path, told: str | None, vnni: bool) -> None:
    path = tmp_path / "cpuinfo"
    if told is not None:
        path.write_text(told)
    assert has_vnni(path) is vnni
