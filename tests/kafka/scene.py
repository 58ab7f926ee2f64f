"""What the tests with a real Kafka share."""

import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tool"))

from support import LONGEST, until  # also for those who import this

JARS = os.environ.get("LEAT_KAFKA_JARS", "")


def skip_without_jars():
    """`./run kafka` sets LEAT_KAFKA_JARS."""
    if not JARS:
        print("skipped: LEAT_KAFKA_JARS is not set; `./run kafka` sets it")
        sys.exit(77)
