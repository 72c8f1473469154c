"""What scripts in NumPy may bring with them; see harness.export.library."""

import sys
from pathlib import Path

import numpy as np
