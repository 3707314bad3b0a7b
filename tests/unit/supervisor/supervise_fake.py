"""Supervise the fake driver, with shorter times. A script: supervising adopts orphans, so it needs its own process."""

import os
import sys
from pathlib import Path

from gmpo_verl.supervisor import restarts, supervise

supervise._AFTER_LOSS_SECONDS = 2.0
supervise._GRACE_SECONDS = 2.0
restarts._FIRST_WAIT_SECONDS = float(os.environ.get("FAKE_FIRST_WAIT", "0.2"))
sys.exit(supervise.supervise(sys.argv[1:], driver=[sys.executable, str(Path(__file__).with_name("fake_driver.py"))]))
