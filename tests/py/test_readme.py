"""README.md's Python, run verbatim."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

from server import Quickstart

README = Path(__file__).parents[2] / "README.md"


class Readme(unittest.TestCase):
    def test_the_quickstart_prints_the_documented_output(self):
        code, output = self.snippet(README.read_text(), "# quickstart.py")
        with Quickstart():
            run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15)
        self.assertEqual(run.stdout, output, run.stderr)

    def snippet(self, readme, first_line):
        """Returns the fenced block that begins with this line, and the next text block, which shows its output."""
        blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        starts = [i for i, (_, text) in enumerate(blocks) if text.startswith(first_line + "\n")]
        self.assertTrue(starts, f"README.md has no fenced block that begins with the line {first_line!r}")
        outputs = [text for language, text in blocks[starts[0] :] if language == "text"]
        self.assertTrue(outputs, f"README.md has no block ```text after {first_line!r} that shows what it prints")
        return blocks[starts[0]][1], outputs[0]


if __name__ == "__main__":
    unittest.main()
