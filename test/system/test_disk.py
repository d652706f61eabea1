"""Data directories that are not as they were, and disks that are full."""

import contextlib
import os
import sqlite3
import subprocess
import tempfile
import unittest

import harness

BASE = 1_700_000_000_000
FAILED, UNREACHABLE = 1, 4


class DataTest(harness.SystemTest):
    """A data directory that is not as it was."""

    def fill(self, entities=100):
        cluster = self.start()
        text = "".join(
            harness.event(f"e{e}", BASE + t, e)
            for e in range(entities)
            for t in range(20)
        )
        self.assert_done(cluster.ingest(text))
        return cluster

    def ask_all(self, cluster, entities=100):
        return cluster.ask(
            {"entity": f"e{e}", "at": BASE + 100, "window": 1_000}
            for e in range(entities)
        )

    def assert_whole(self, cluster):
        rows = self.assert_done(self.ask_all(cluster)).rows
        self.assertEqual(
            [(x["count"], x["average"]) for x in rows],
            [(20, e) for e in range(100)],
        )

    def assert_refuses(self, server, *words):
        """It ends by itself, and says why."""
        server.launch()
        self.assertEqual(server.process.wait(), FAILED, server.process.output)
        for word in words:
            self.assertIn(word, server.process.output)

    def test_a_directory_belongs_to_one_process_at_a_time(self):
        cluster = self.fill()
        twin = cluster.server("serve", "twin", [])
        twin.data = cluster.head.data
        self.assert_refuses(
            twin, "in use", str(cluster.head.process.popen.pid), str(twin.data)
        )
        self.assert_whole(cluster)
        # A killed one leaves nothing that locks others out.
        cluster.head.restart()
        cluster.wait(1)
        self.assert_whole(cluster)

    def test_a_file_of_a_newer_version_is_left_alone(self):
        cluster = self.fill()
        cluster.head.stop()
        for name in ("journal.db", "state.db", "coordinator.db"):
            path = cluster.head.data / name
            with contextlib.closing(sqlite3.connect(path)) as db:
                (version,) = db.execute("PRAGMA user_version").fetchone()
                db.execute(f"PRAGMA user_version = {version + 98}")
            self.assert_refuses(
                cluster.head, name, f"{version + 98}", "upgrade weir"
            )
            with contextlib.closing(sqlite3.connect(path)) as db:
                db.execute(f"PRAGMA user_version = {version}")
        cluster.head.start()
        cluster.wait(1)
        self.assert_whole(cluster)

    def test_a_file_that_is_no_database_is_left_alone(self):
        cluster = self.fill()
        cluster.head.stop()
        path = cluster.head.data / "journal.db"
        path.write_bytes(b"a letter to my aunt\n" * 500)
        self.assert_refuses(cluster.head, "journal.db")
        self.assertTrue(path.read_bytes().startswith(b"a letter to my aunt"))

    def test_damage_in_the_journal_is_the_trouble_of_one_shard(self):
        cluster = self.fill()
        cluster.head.stop()
        path = cluster.head.data / "journal.db"
        with contextlib.closing(sqlite3.connect(path)) as db:
            row, shard, block = db.execute(
                "SELECT rowid, shard, block FROM entry"
                " ORDER BY length(block) DESC LIMIT 1"
            ).fetchone()
            damaged = bytearray(block)
            damaged[len(block) // 2] ^= 0x10
            db.execute(
                "UPDATE entry SET block = ? WHERE rowid = ?",
                (bytes(damaged), row),
            )
            db.commit()
        cluster.head.start()
        harness.eventually(
            "all other shards are served",
            lambda: sum(
                x["state"] == "serving" for x in cluster.status()["shards"]
            )
            == 31,
        )
        done = self.assert_done(self.ask_all(cluster), UNREACHABLE)
        lost = 0
        for e, x in enumerate(done.rows):
            if "error" in x:
                lost += 1
                self.assertIn(f"shard {shard}", x["error"])
                self.assertIn("checksum differs", x["error"])
            else:
                self.assertEqual((x["count"], x["average"]), (20, e))
        self.assertTrue(0 < lost < 20, done)
        self.assertIn("checksum differs", cluster.head.process.output)
        self.assertIn(f"shard {shard}", self.assert_done(cluster.run("status")).out)


class FullDiskTest(harness.SystemTest):
    def mount(self, size):
        """A small file system, or a skipped test."""
        path = tempfile.mkdtemp(prefix="weir-test-disk-")
        self.addCleanup(os.rmdir, path)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "weir-test", path],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            self.skipTest(f"no file system can be mounted: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        return path

    def grow(self, path, size):
        subprocess.run(
            ["mount", "-o", f"remount,size={size}", path], check=True
        )

    def fill_disk(self):
        """A producer that waits for a node's disk, and what it sends."""
        self.disk = self.mount("3m")
        cluster = self.start(
            nodes=1,
            settings={"retention": "30d", "cells-max": 32768},
            data={"n1": f"{self.disk}/data"},
        )
        # Numbers that do not compress: each takes some ten bytes.
        readings = [
            (f"e{i % 40}", BASE + i, i * 2654435761**2 % 2**38)
            for i in range(400_000)
        ]
        path = cluster.directory / "events.ndjson"
        path.write_text("".join(harness.event(*x) for x in readings))
        producer = cluster.start_ingest("--producer", "p", path)
        harness.eventually(
            "the producer says what it waits for",
            lambda: "full" in producer.output or not producer.running,
        )
        self.assertRegex(producer.output, "(?m)^weir: waiting: .*n1.*full")
        self.assertTrue(producer.running)
        accepted = cluster.ledger()["accepted"]
        self.assertTrue(0 < accepted < len(readings), accepted)
        return cluster, producer, harness.Oracle(readings)

    def check(self, cluster, oracle):
        questions = oracle.questions([1_000, 60_000])
        self.assert_answers(cluster, oracle, questions)
        cluster.nodes[0].restart()
        cluster.wait(1)
        self.assert_answers(cluster, oracle, questions)

    def test_input_waits_for_a_full_disk_and_goes_on_when_there_is_room(self):
        cluster, producer, oracle = self.fill_disk()
        # What was acknowledged is still answered.
        done = self.assert_done(cluster.ask([{"entity": "e0"}]))
        self.assertTrue(done.row["found"])
        # Nor is the log flooded, which may be on the same disk.
        told = cluster.nodes[0].process.output.count("the journal refuses")
        self.assertTrue(0 < told <= 3, told)
        self.grow(self.disk, "64m")
        self.assertEqual(producer.wait(), 0, producer.output)
        self.assert_ledger(cluster, accepted=oracle.count)
        self.check(cluster, oracle)

    def test_processes_that_die_on_a_full_disk_lose_nothing(self):
        cluster, producer, oracle = self.fill_disk()
        producer.kill()
        before = cluster.ledger()["accepted"]
        (node,) = cluster.nodes
        node.kill()
        self.grow(self.disk, "64m")
        node.start()
        cluster.wait(1)
        harness.eventually(
            "what was acknowledged is back",
            lambda: cluster.ledger()["accepted"] >= before,
        )
        again = cluster.start_ingest(*producer.args[4:], "--resume")
        self.assertEqual(again.wait(), 0, again.output)
        self.assertEqual(cluster.ledger()["accepted"], oracle.count)
        self.check(cluster, oracle)

if __name__ == "__main__":
    unittest.main()
