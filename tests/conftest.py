"""What all tests share: no window of theirs is seen."""

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
