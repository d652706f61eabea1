"""Nothing acknowledged is lost, and nothing counts twice, whoever dies when.

What is random comes from a seed, which is printed; WEIR_SEED sets it.
"""

import json
import os
import random
import threading
import unittest

import harness

SEED = int(os.environ.get("WEIR_SEED") or random.randrange(10**6))

BASE = 1_700_000_000_000
# With these, nothing is late and every answer is exact, however deep in the past.
SETTINGS = {"retention": "30d", "cells-max": 32768}
# The least there is: checkpoints happen all the time.
OPTIONS = ["--checkpoint-every", "1MiB"]
WIDTHS = [1_000, 60_000, 3_600_000]
ENTITIES = [f"pump-{i}" for i in range(14)] + ["Prüfstand/7", "x" * 512]

# Of a producer whose node hangs: 12 MiB of program, 1 MiB under way to two
# nodes, and what the allocator keeps.
MEMORY_MAX = 48 << 20

# Lines to a write, and how long a paced writer rests then: 10,000 a second keep
# a producer busy without ever filling a disk.
CHUNK = 100
REST = 0.01


def setUpModule():
    print(f"WEIR_SEED={SEED}", flush=True)


class Source(threading.Thread):
    """Writes events to a producer without end, and keeps an oracle of them.

    Times go forth at a reading a millisecond, with jumps back of up to ten
    seconds. `end()` stops it, and closes the producer's input.
    """

    def __init__(self, producer, seed):
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.pipe = producer.popen.stdin
        self.oracle = harness.Oracle()
        self.over = threading.Event()
        self.paced = True
        self.written = 0
        self.error = None
        self.start()

    def line(self):
        at = BASE + self.oracle.count - self.random.randrange(10_000)
        entity = self.random.choice(ENTITIES)
        value = self.random.randrange(-1_000_000, 1_000_000)
        self.oracle.add(entity, at, value)
        return harness.event(entity, at, value)

    def run(self):
        try:
            while not self.over.is_set():
                lines = "".join(self.line() for _ in range(CHUNK)).encode()
                self.pipe.write(lines)
                self.pipe.flush()
                self.written += len(lines)
                if self.paced:
                    self.over.wait(REST)
            self.pipe.close()
        except BrokenPipeError as error:
            self.error = error

    def end(self):
        self.over.set()
        self.join(harness.PATIENCE)
        if self.error or self.is_alive():
            raise AssertionError("the producer does not read its input")


class CrashTest(harness.SystemTest):
    def begin(self, nodes, *options):
        self.random = random.Random(SEED)
        # A single copy: what a node has to give, it has to give by itself.
        settings = {**SETTINGS, "replicas": 1}
        self.cluster = self.start(nodes, settings, OPTIONS)
        self.producer = self.cluster.start_ingest(*options, "-")
        self.source = Source(self.producer, SEED)
        self.wait_progress(0)

    def accepted(self):
        return self.cluster.ledger()["accepted"]

    def wait_progress(self, since):
        """Until the ledger has more than `since`."""

        def progress():
            self.assertTrue(self.producer.running, self.producer.output)
            return self.accepted() > since

        harness.eventually("readings are accepted", progress)

    def rest(self, most):
        """A random moment later."""
        self.source.over.wait(self.random.random() * most)

    def kill_again_and_again(self, servers, times):
        for i in range(times):
            server = self.random.choice(servers)
            server.kill()
            # Some die for less than a moment, and some at once again, while
            # they are recovering.
            self.rest(0.3)
            if i % 3 == 0:
                server.launch()
                self.rest(0.3)
                server.kill()
            server.start()
            if i % 2 == 0:
                self.cluster.wait(max(len(self.cluster.nodes), 1))
                self.wait_progress(self.accepted())
            self.rest(0.3)

    def finish(self):
        """All there is to say about a run that went well."""
        self.source.end()
        self.assertEqual(self.producer.wait(), 0, self.producer.output)
        oracle = self.source.oracle
        summary = json.loads(self.producer.output.splitlines()[-1])
        self.assertEqual(
            (summary["received"], summary["accepted"]), (oracle.count,) * 2
        )
        self.check(oracle)
        for server in self.cluster.servers:
            server.kill()
        for server in self.cluster.servers:
            server.start()
        self.cluster.wait(max(len(self.cluster.nodes), 1))
        self.check(oracle)

    def check(self, oracle):
        self.assert_ledger(self.cluster, accepted=oracle.count)
        self.assert_answers(self.cluster, oracle, oracle.questions(WIDTHS))

    def test_nodes_are_killed_twenty_times(self):
        self.begin(nodes=2)
        self.kill_again_and_again(self.cluster.nodes, 20)
        self.finish()

    def test_a_whole_cluster_in_one_process_is_killed(self):
        self.begin(nodes=0)
        self.kill_again_and_again([self.cluster.head], 7)
        self.finish()

    def test_the_coordinator_is_killed(self):
        self.begin(nodes=2)
        self.kill_again_and_again([self.cluster.head], 5)
        self.finish()

    def test_anyone_is_killed(self):
        self.begin(nodes=2)
        self.kill_again_and_again(self.cluster.servers, 10)
        self.finish()

    def test_input_pauses_while_a_node_does(self):
        # So that no entity gets more readings than can be told apart.
        self.begin(2, "--inflight-bytes-max", "512KiB")
        node = self.cluster.nodes[0]
        node.pause()
        self.source.paced = False
        # The producer takes what its limits allow, and no more. Longer than the
        # coordinator's patience with the node, too.
        seen = []

        def stalled():
            seen.append(self.source.written)
            enough = int(3 / harness.LOOK_EVERY)
            return len(seen) > enough and len(set(seen[-enough:])) == 1

        harness.eventually("the input pauses for 3 s", stalled)
        memory = self.producer.memory_bytes()
        self.assertLess(memory, MEMORY_MAX)
        self.assertTrue(self.producer.running)
        self.source.paced = True
        before = self.source.written
        node.resume()
        harness.eventually(
            "the input goes on", lambda: self.source.written > before
        )
        self.cluster.wait(2)
        self.finish()


class ResumeTest(harness.SystemTest):
    """The producer dies, and sends its input again."""

    def setUp(self):
        self.random = random.Random(SEED)

    def oracle_of(self, text):
        rows = map(json.loads, text.splitlines())
        return harness.Oracle(
            (x["entity"], x["timestamp"], x["value"]) for x in rows
        )

    def run_and_kill(self, cluster, path, after):
        producer = cluster.start_ingest("--producer", "p", "--resume", path)
        threading.Event().wait(after)
        ended = not producer.running
        producer.kill()
        return ended

    def test_a_file_that_is_sent_again_counts_once(self):
        cluster = self.start(settings=SETTINGS, node_options=OPTIONS)
        path = cluster.directory / "events.ndjson"
        options = "--events 600000 --entities 40 --disorder 10s"
        self.assert_done(
            harness.weir(
                *f"generate --seed {SEED} {options} --output".split(), path
            )
        )
        # Integers have exact sums.
        text = "".join(
            harness.event(x["entity"], x["timestamp"], round(x["value"] * 1000))
            for x in map(json.loads, path.read_text().splitlines())
        )
        path.write_text(text)
        oracle = self.oracle_of(text)
        whole = sum(
            self.run_and_kill(cluster, path, self.random.random() * 0.4)
            for _ in range(8)
        )
        self.assertLess(whole, 8, "no run was cut short")
        done = self.assert_done(
            cluster.ingest(path, "--producer", "p", "--resume")
        )
        self.assertEqual(done.row["received"], oracle.count)
        self.assertEqual(
            done.row["accepted"] + done.row["duplicate"], oracle.count
        )
        self.assertEqual(cluster.ledger()["accepted"], oracle.count)
        self.assert_answers(cluster, oracle, oracle.questions(WIDTHS))
        # Once more, for nothing.
        done = self.assert_done(
            cluster.ingest(path, "--producer", "p", "--resume")
        )
        self.assertEqual(done.row["received"], oracle.count)
        self.assertEqual(done.row["duplicate"], oracle.count)
        self.assertEqual(cluster.ledger()["accepted"], oracle.count)

    def test_a_pipe_with_bad_lines_that_is_cut_counts_each_line_once(self):
        cluster = self.start(nodes=2, settings=SETTINGS, node_options=OPTIONS)
        oracle = harness.Oracle()
        lines = []
        bad = 0
        for i in range(60_000):
            if self.random.random() < 0.01:
                bad += 1
                lines.append(f'{{"line":{i}}}\n')
                continue
            entity = self.random.choice(ENTITIES)
            at = BASE + i - self.random.randrange(10_000)
            value = self.random.randrange(-1_000_000, 1_000_000)
            oracle.add(entity, at, value)
            lines.append(harness.event(entity, at, value))
        cuts = sorted(self.random.randrange(len(lines)) for _ in range(6))
        for i, cut in enumerate(cuts):
            before = cluster.ledger()["accepted"]
            producer = cluster.start_ingest("--producer", "p", "--resume", "-")
            producer.popen.stdin.write("".join(lines[:cut]).encode())
            producer.popen.stdin.flush()
            # One dies without a trace, and the next when some has arrived.
            if i % 2 == 0:
                harness.eventually(
                    "something arrives",
                    lambda: cluster.ledger()["accepted"] > before,
                )
            producer.kill()
        done = cluster.ingest("".join(lines), "--producer", "p", "--resume")
        self.assert_done(done, code=5 if done.row["malformed"] else 0)
        self.assertEqual(done.row["received"], len(lines))
        ledger = cluster.ledger()
        self.assertEqual(
            (ledger["accepted"], ledger["malformed"], ledger["late"]),
            (oracle.count, bad, 0),
        )
        self.assert_answers(cluster, oracle, oracle.questions(WIDTHS))


if __name__ == "__main__":
    unittest.main()
