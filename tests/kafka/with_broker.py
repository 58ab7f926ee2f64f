"""Runs a command beside a broker of its own: with_broker.py JARS COMMAND [ARGUMENT...]

The command finds the broker's address in LEAT_KAFKA_BROKERS and the jars in LEAT_KAFKA_JARS. Its exit code is passed
on. The broker and its data are gone afterwards, also where this is interrupted.
"""

import os
import signal
import subprocess
import sys

from broker import Broker, dies_with_its_parent


def end_with(number, _):
    sys.exit(128 + number)  # by way of every `with` and `finally`


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_with)
    jars = os.path.abspath(sys.argv[1])
    with Broker(jars) as broker:
        environment = dict(os.environ, LEAT_KAFKA_BROKERS=broker.address, LEAT_KAFKA_JARS=jars)
        command = subprocess.Popen(sys.argv[2:], env=environment, preexec_fn=dies_with_its_parent)
        try:
            code = command.wait()
        finally:
            if command.poll() is None:
                command.terminate()
                try:
                    command.wait(10)
                except subprocess.TimeoutExpired:
                    command.kill()
                    command.wait()
        if broker.process.poll() is not None:
            print("Kafka ended meanwhile:\n" + broker.log(), file=sys.stderr)
            code = code or 1
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
