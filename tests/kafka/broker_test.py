"""The broker that the other tests rely on."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest

from broker import Broker, brokers_known_to
from scene import JARS, skip_without_jars, until

HERE = os.path.dirname(os.path.abspath(__file__))


class TheBroker(unittest.TestCase):
    def test_records_of_the_console_tools_outlive_the_broker(self):
        with Broker(JARS) as broker:
            broker.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", broker.address, "--create",
                        "--topic", "t", "--partitions", "2")
            broker.tool("kafka.tools.ConsoleProducer", "--bootstrap-server", broker.address, "--topic", "t",
                        "--property", "parse.key=true", "--property", "key.separator==", input=b"a=1\nb=2\nc=3\n")
            address = broker.address
            broker.kill()
            self.assertEqual(brokers_known_to(address), 0)
            broker.start()
            self.assertEqual(broker.address, address)
            read = broker.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", address, "--topic",
                               "t", "--from-beginning", "--property", "print.key=true", "--max-messages", "3")
            self.assertEqual(sorted(read.split(b"\n")), [b"", b"a\t1", b"b\t2", b"c\t3"])

    def test_nothing_is_left_of_a_broker_whose_command_was_interrupted(self):
        with tempfile.TemporaryDirectory(prefix="leat-test-") as directory:
            command = ["sh", "-c", "echo $LEAT_KAFKA_BROKERS; exec sleep 1000"]
            process = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "with_broker.py"), JARS, *command],
                                       stdout=subprocess.PIPE, env=dict(os.environ, TMPDIR=directory))
            address = process.stdout.readline().decode().strip()
            self.assertEqual(brokers_known_to(address), 1)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(60), 128 + signal.SIGTERM)
            process.stdout.close()
            self.assertEqual(brokers_known_to(address), 0)
            self.assertEqual(os.listdir(directory), [])

    def test_a_broker_dies_with_the_process_that_was_killed(self):
        with tempfile.TemporaryDirectory(prefix="leat-test-") as directory:
            command = ["sh", "-c", "echo $LEAT_KAFKA_BROKERS; exec sleep 1000"]
            process = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "with_broker.py"), JARS, *command],
                                       stdout=subprocess.PIPE, env=dict(os.environ, TMPDIR=directory))
            address = process.stdout.readline().decode().strip()
            self.assertEqual(brokers_known_to(address), 1)
            process.kill()
            process.wait()
            process.stdout.close()
            until(lambda: brokers_known_to(address) == 0, "the broker's end")


if __name__ == "__main__":
    skip_without_jars()
    unittest.main(verbosity=2)
