"""Each record is on the other side exactly once, whoever is killed, stopped or restarted when."""

import os
import random
import threading
import time
import unittest

from broker import Broker
from late_proxy import LIST_OFFSETS, PRODUCE, LateProxy
from mirror_scene import MirrorCase, kill, seed
from scene import JARS, LONGEST, skip_without_jars, until


def kill_mirrors(case, numbers, commands, end, errors, kills):
    """Starts one or two mirrors, kills them at a random moment, and so on."""
    try:
        while time.monotonic() < end:
            mirrors = [case.start(*command, store=store) for command, store in commands]
            mirrors += [case.start(*command, store=store) for command, store in commands if numbers.random() < 0.3]
            numbers.shuffle(mirrors)
            for m in mirrors:
                time.sleep(numbers.uniform(0.1, 2))
                case.assertIsNone(m.poll(), m.poll() is not None and m.stderr.read())
                kill(m)
                kills.append(m)
    except BaseException as e:
        errors.append(e)


class Kills(MirrorCase):
    seconds = 20
    records = 400000

    def test_from_a_store_to_kafka_and_from_kafka_to_another_store(self):
        numbers = random.Random(seed())
        copy = os.path.join(self.directory, "copy")
        with Broker(JARS) as broker:
            self.address = broker.address
            self.leat("topics", "create", self.topic, "-p", "3")
            lines = "".join("k%d=%d %s\n" % (i % 1000, i, "x" * 80) for i in range(self.records))
            producing = threading.Thread(target=self.leat, args=("produce", self.topic, "-k", "=", "--rate", "30000"),
                                         kwargs={"input": lines})
            producing.start()
            commands = ((("mirror", "to-kafka", self.topic, "--settle", "1s"), self.store),
                        (("mirror", "from-kafka", self.topic), copy))
            end = time.monotonic() + self.seconds
            errors, kills = [], []
            killing = threading.Thread(target=kill_mirrors, args=(self, random.Random(numbers.random()), commands, end,
                                                                  errors, kills))
            killing.start()
            pauses = restarts = 0
            while time.monotonic() < end:  # here, since a broker dies with the thread that started it
                time.sleep(numbers.uniform(0.5, 2))
                if numbers.random() < 0.75 or restarts == 2:
                    broker.pause()
                    time.sleep(numbers.uniform(0.1, 1))
                    broker.go_on()
                    pauses += 1
                else:
                    broker.kill()
                    broker.start()
                    restarts += 1
            killing.join()
            producing.join()
            self.assertEqual(errors, [])
            self.mirror("to-kafka")
            self.mirror("from-kafka", store=copy)
            print("%d kills, %d stops and %d restarts of the broker" % (len(kills), pauses, restarts), flush=True)
            self.assertGreater(len(kills), 2)
            records = self.assert_both_sides_same()
            self.assertEqual(len(records), self.records)
            self.assertEqual(records, self.in_store(store=copy))
            for store in (self.store, copy):
                self.assertEqual({m["promise"] for m in self.mirrors(store)}, {"exactly-once"})

    def test_what_a_dead_mirror_had_sent_arrives_late_and_is_not_sent_again(self):
        with LateProxy() as proxy, Broker(JARS, advertised=proxy.port) as broker:
            proxy.forward_to(broker.port)
            self.address = "127.0.0.1:%d" % proxy.port
            self.leat("topics", "create", self.topic)
            settle = os.environ.get("LEAT_TEST_SETTLE", "2s")  # 0s: it must fail
            records = 0
            for _ in range(3):
                mirror = self.start("mirror", "to-kafka", self.topic, "--settle", settle)
                self.leat("produce", self.topic, input="before\n")
                records += 1
                until(lambda: self.mirrors() and self.mirrors()[0]["offset"] == records, "a mirror at work")
                proxy.keep_back()
                self.leat("produce", self.topic, input="".join("%d %s\n" % (i, "y" * 900) for i in range(20)))
                records += 20
                until(lambda: proxy.kept_bytes(PRODUCE) > 18000, "what the broker has not got")
                kill(mirror)
                proxy.release_behind(2, LIST_OFFSETS)  # where the partition begins, and where it ends
                next_one = self.start("mirror", "to-kafka", self.topic, "--settle", settle, "-e")
                self.assertEqual(next_one.wait(LONGEST), 0, next_one.stderr.read())
                self.assertTrue(proxy.released.is_set())
            self.assertEqual(len(self.assert_both_sides_same()), records)

    def test_from_kafka_with_holes_where_transactions_ended(self):
        numbers = random.Random(seed())
        with Broker(JARS) as broker:
            self.address = broker.address
            broker.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", broker.address, "--create",
                        "--topic", self.topic, "--partitions", "2")
            errors = []

            def produce():
                try:
                    broker.tool("org.apache.kafka.tools.ProducerPerformance", "--topic", self.topic, "--num-records",
                                "60000", "--record-size", "20", "--throughput", "6000", "--transactional-id", "tx",
                                "--transaction-duration-ms", "20", "--producer-props",
                                "bootstrap.servers=" + broker.address, "batch.size=200")
                except BaseException as e:
                    errors.append(e)

            # No restarts: the producer's tool would not get over them.
            thread = threading.Thread(target=produce)
            thread.start()
            kills = 0
            while thread.is_alive():
                mirror = self.start("mirror", "from-kafka", self.topic)
                time.sleep(numbers.uniform(0.2, 1.5))
                self.assertIsNone(mirror.poll())
                kill(mirror)
                kills += 1
            thread.join()
            self.assertEqual(errors, [])
            self.assertGreater(kills, 2)
            self.mirror("from-kafka")
            here, there = self.in_store(), self.in_kafka()
            self.assertEqual(len(here), 60000)
            holes = sum(1 for a, b in zip(there, there[1:]) if a[0] == b[0] and b[1] != a[1] + 1)
            self.assertGreater(holes, 20)
            print("%d kills, %d holes" % (kills, holes), flush=True)
            without_offsets = lambda records: [(r[0], *r[2:]) for r in records]
            self.assertEqual(without_offsets(here), without_offsets(there))


if __name__ == "__main__":
    skip_without_jars()
    unittest.main(verbosity=2)
