"""What a stranger can rely on: modules without an underscore are listed in the reference."""

import re
from pathlib import Path

import pytest

import skfair

ROOT = Path(skfair.__file__).parent
REFERENCE = ROOT.parent / "docs" / "api.rst"
