"""What the tests with a real Kafka share."""

import os
import sys
import time

JARS = os.environ.get("LEAT_KAFKA_JARS", "")
LONGEST = 120  # seconds that anything may take on a busy machine


def skip_without_jars():
    """`./run kafka` sets LEAT_KAFKA_JARS."""
    if not JARS:
        print("skipped: LEAT_KAFKA_JARS is not set; `./run kafka` sets it")
        sys.exit(77)


def until(condition, what):
    """Looks again and again; what it waits for is named where it does not come."""
    deadline = time.monotonic() + LONGEST
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain: " + what)
        time.sleep(0.01)
