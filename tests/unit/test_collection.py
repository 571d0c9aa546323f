"""Every test module is found where the double of Service Bus cannot be built; only its own tests are skipped."""

import subprocess
import sys

_WITHOUT_PROTON = """
import sys
import pytest
sys.modules["proton"] = None
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "tests/contract", "tests/integration", "tests/end_to_end"]))
"""  # noqa: E501


def test_the_tests_are_collected_without_proton() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PROTON], capture_output=True, text=True, timeout=100, check=False
    )

    assert done.returncode == 0, done.stdout[-2000:]
