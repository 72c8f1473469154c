"""What scripts in Keras may bring with them; see harness.export.library."""

import sys
from pathlib import Path

import keras
import numpy as np
