"""Disks that are full or read-only, and producers that are faster than a node."""

import contextlib
import os
import subprocess
import tempfile
import threading
import unittest

import faults
import harness
from faults import eventually, say
from test_damage import DamageFixture

FAILED = 1
MIB = 1 << 20


def setUpModule():
    faults.print_seed()


def mount(test, size):
    """A small file system that ends with the test, or a skipped test."""
    path = tempfile.mkdtemp(prefix="weir-test-disk-")
    test.addCleanup(os.rmdir, path)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "weir-test", path],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        test.skipTest(f"no file system can be mounted: {done.stderr.strip()}")
    test.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
    return path


class FullDiskTest(DamageFixture):
    def start_cluster(self, nodes, settings, options):
        self.disk = mount(self, "256m")
        return self.start(
            nodes, settings, options, data={"n1": harness.pathlib.Path(self.disk, "n1")}
        )

    def fill(self):
        """Another file takes all the room."""
        with open(f"{self.disk}/filler", "ab", buffering=0) as file:
            for size in (MIB, 4096):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def test_others_go_on_without_a_full_disk_until_it_has_room(self):
        self.begin()
        for _ in range(2):
            self.await_copies()
            self.fill()
            say("the disk of n1 is full")

            def told():
                nodes = {x["name"]: x for x in self.look()["nodes"]}
                return "full" in nodes["n1"]["trouble"] and nodes["n1"]["trouble"]

            say(eventually("its status says that the disk is full", told))

            def left():
                return all(x["primary"] != "n1" for x in self.look()["shards"])

            eventually("other nodes lead its shards", left)
            self.await_progress()
            self.assertTrue(self.node("n1").process.running)
            os.unlink(f"{self.disk}/filler")
            say("there is room again")
            self.await_copies()
        self.finish()

    def test_a_process_that_dies_on_a_full_disk_comes_back_when_there_is_room(self):
        self.begin()
        self.await_copies()
        node = self.node("n1")
        self.fill()
        self.rest(1)
        node.kill()
        self.await_progress()
        # It starts or says why not, and takes nothing that it can't keep.
        node.launch()
        self.rest(1)
        os.unlink(f"{self.disk}/filler")
        if node.process.popen.poll() is not None:
            self.assertIn("free some space", node.process.output)
            node.launch()
        node.wait_ready()
        self.await_copies()
        self.finish()


class ReadOnlyTest(harness.SystemTest):
    def assert_refused(self, node):
        node.launch()
        self.assertEqual(node.process.wait(), FAILED, node.process.output)
        (line,) = [x for x in node.process.output.splitlines() if "Read-only" in x]
        say(line)
        self.assertIn(str(node.data), line)
        self.assertIn("mount it writable, or choose another directory", line)

    def test_a_read_only_directory_is_refused_in_a_sentence(self):
        disk = mount(self, "64m")
        data = {"n2": harness.pathlib.Path(disk, "n2")}
        cluster = self.start(nodes=2, data=data)
        node = cluster.nodes[1]
        node.kill()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        self.assert_refused(node)
        node.data = harness.pathlib.Path(disk, "new")
        self.assert_refused(node)
        node.data = data["n2"]
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        node.start()
        cluster.wait(2)


class Brake(threading.Thread):
    """Lets a process run for a tenth of the time only, until `end`."""

    RUNS, STANDS = 0.02, 0.18

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            self.server.pause()
            self.over.wait(self.STANDS)
            self.server.resume()
            self.over.wait(self.RUNS)

    def end(self):
        self.over.set()
        self.join()


class OverloadTest(harness.SystemTest):
    PENDING, INFLIGHT = 4 * MIB, 2 * MIB
    # What docs/operations.md says of a node: this, its windows, four times what
    # may be pending, and twice what its producers may have under way.
    FIXED = 128 * MIB
    PRODUCERS = 4
    # Of each producer: some whose answers are compared, and many more. All of
    # them wait to be sent at once, and encoded they take more than the bound.
    EXACT, BULK = 10_000, 2_400_000

    def input(self, cluster, p):
        """Readings to be compared, and the file that holds them and others."""
        readings = [
            (f"p{p}-{i % 20}", faults.BASE + i, i * 2654435761 % 2**38)
            for i in range(self.EXACT)
        ]
        path = cluster.directory / f"input{p}.ndjson"
        bulk = ["--events", self.BULK, "--entities", 200, "--rate", 100_000]
        done = harness.weir(
            "generate", *bulk, "--seed", p, "--start", faults.BASE, "--output", path
        )
        self.assert_done(done)
        with open(path, "a", encoding="utf-8") as file:
            file.writelines(harness.event(*x) for x in readings)
        return readings, path

    def test_memory_stays_bounded_when_a_node_is_slower_than_its_producers(self):
        cluster = self.start(
            nodes=2,
            settings={"retention": "1d"},
            node_options=["--node-pending-bytes-max", f"{self.PENDING}"],
        )
        inputs = [self.input(cluster, p) for p in range(self.PRODUCERS)]
        slow = cluster.nodes[0]
        peak = dict.fromkeys(cluster.nodes, 0)
        over = threading.Event()

        def watch():
            while not over.wait(0.01):
                for node in peak:
                    peak[node] = max(peak[node], node.process.memory_bytes())

        brake = Brake(slow)
        self.addCleanup(brake.end)
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        producers = [
            cluster.start_ingest(
                "--producer", f"p{p}", "--inflight-bytes-max", self.INFLIGHT, path
            )
            for p, (_, path) in enumerate(inputs)
        ]
        # They wait for it: a tenth of what they could send is there by now.
        self.assertFalse(over.wait(3))
        total = self.PRODUCERS * (self.EXACT + self.BULK)
        said = cluster.ledger()["accepted"]
        say(f"{said} of {total} readings were taken in 3 s")
        self.assertTrue(all(x.running for x in producers))
        for producer in producers:
            self.assertEqual(producer.wait(600), 0, producer.output)
        over.set()
        watcher.join()
        brake.end()
        cluster.wait(2)
        windows = sum(x["window_bytes"] for x in cluster.status()["shards"])
        bound = self.FIXED + windows + 4 * self.PENDING
        bound += 2 * self.PRODUCERS * self.INFLIGHT
        for node in peak:
            say(
                f"{node.name}: {peak[node] / MIB:.0f} MiB at most, of "
                f"{bound / MIB:.0f} MiB, {windows / MIB:.0f} of them windows"
            )
            self.assertLess(peak[node], bound, node.name)
        waited = [x for x in producers if "waiting" in x.output]
        say(f"{len(waited)} of {len(producers)} producers said that they wait")
        self.assert_ledger(cluster, accepted=total)
        oracle = harness.Oracle(x for readings, _ in inputs for x in readings)
        self.assert_answers(cluster, oracle, oracle.questions([1_000, 60_000]))


if __name__ == "__main__":
    unittest.main()
