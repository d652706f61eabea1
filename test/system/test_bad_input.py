"""Input that is none, disks that are full or damaged, and doors that are shut."""

import contextlib
import gzip
import os
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest

import harness

BASE = 1_700_000_000_000
FAILED, USAGE, UNREACHABLE, SOME_REJECTED = 1, 2, 4, 5

GOOD = harness.event("good", BASE, 7).encode()


def line(time=BASE, entity='"a"', value="1"):
    """An event of which each part is JSON text."""
    return f'{{"timestamp":{time},"entity":{entity},"value":{value}}}'


# Bad lines, and a word that their reason has.
MALFORMED = [
    ("nonsense", "JSON"),
    ("{", "JSON"),
    (line()[:-1], "JSON"),
    (line() + "}", "JSON"),
    (line() + line(), "JSON"),
    ("[]", "object"),
    ("7", "object"),
    ("{}", "value"),
    (f'{{"timestamp":{BASE},"entity":"a"}}', "value"),
    (f'{{"timestamp":{BASE},"value":1}}', "entity"),
    ('{"entity":"a","value":1}', "timestamp"),
    (f'{{"timestamp":{BASE},"entity":"a","value":1,"data":{{"x":1}}}}', "data"),
    (f'{{"timestamp":{BASE},"timestamp":1,"entity":"a","value":1}}', "timestamps"),
    (line(value='"1"'), "value"),
    (line(value="true"), "value"),
    (line(value="null"), "value"),
    (line(value="[1]"), "value"),
    (line(value="NaN"), "NaN"),
    (line(value="Infinity"), "Infinity"),
    (line(value="-Infinity"), "Infinity"),
    (line(value="1e999"), "1e999"),
    (line(value="-1e400"), "1e400"),
    (line(value="01"), ""),
    (line(entity="5"), "entity"),
    (line(entity="null"), "entity"),
    (line(entity='""'), "empty"),
    (line(entity='"' + "x" * 513 + '"'), "513 bytes"),
    (line(time="true"), "timestamp"),
    (line(time='"yesterday"'), "yesterday"),
    (line(time="-1"), "timestamp"),
    (line(time='"1969-12-31T23:59:59Z"'), "1970"),
    (line(time="253402300800000"), "9999"),
    (line(time="1e300"), "timestamp"),
    (line(time="99999999999999999999"), "timestamp"),
    (b'{"timestamp":1,"entity":"\xff","value":1}', "UTF-8"),
    (line(entity='"\\ud800"'), ""),
    ("[" * 5000 + "]" * 5000, ""),
    ("x" * (1 << 20), ""),
    (line(entity='"' + "x" * (1 << 20) + '"'), ""),
]

FINE = [
    line(entity='"fine"', value="-0.0"),
    line(entity='"fine"', value="1e-300"),
    line(entity='"fine"', value="9007199254740993"),
    line(entity='"fine"', time="0"),
    line(entity='"fine"', time='"2023-11-14T22:13:20Z"'),
    line(entity='"fine"', time='"2023-11-14T22:13:20.123+01:00"'),
    line(entity='"' + "y" * 512 + '"'),
    line(entity='"\\u00e9\\ud83d\\ude00"'),
    line(entity='"tab\\t and \\"quotes\\""'),
    f'  {{ "value" : 1 , "note" : {{"deep":[1,"x"]}}, "entity":"fine", '
    f'"timestamp" : {BASE} }}  ',
]


class InputTest(harness.SystemTest):
    """One cluster takes it all: each test counts what it adds."""

    @classmethod
    def setUpClass(cls):
        # All of time is kept, so that nothing is late.
        cls.shared = harness.Cluster(settings={"retention": "60000d"})
        cls.addClassCleanup(cls.shared.close)

    def setUp(self):
        self.directory = self.shared.directory

    def write(self, name, data):
        path = self.directory / name
        path.write_bytes(harness.to_bytes(data))
        return path

    def ingest(self, *args, data=b"", code=0, **expected):
        """Sends, and compares the summary and the ledger's growth with the
        counts that are expected; those that are not named are zero."""
        before = self.shared.ledger()
        done = self.shared.run("ingest", "--json", *args, data=data)
        self.assert_done(done, code)
        counts = dict.fromkeys(before, 0)
        counts.update(expected)
        counts["received"] = sum(counts.values())
        self.assertEqual({x: done.row[x] for x in counts}, counts, done)
        want = {x: n + counts[x] for x, n in before.items()}
        harness.eventually(
            f"the ledger is {want}", lambda: self.shared.ledger() == want, 10
        )
        return done

    def count(self, entity, metric="value"):
        done = self.shared.run(
            "query average",
            *("--at", BASE + 10_000, "--window", "20000d", "--json"),
            *("--metric", metric, entity),
        )
        return done.row["count"]

    def test_every_bad_line_is_told_with_its_place_and_its_reason(self):
        for text, word in MALFORMED:
            text = harness.to_bytes(text)
            with self.subTest(text=text[:60]):
                done = self.ingest(
                    *("--format", "ndjson", "-"),
                    data=GOOD + text + b"\n" + GOOD,
                    code=SOME_REJECTED,
                    accepted=2,
                    malformed=1,
                )
                self.assertTrue(done.err.startswith("weir: -:2: "), done)
                self.assertIn(word, done.err)
                self.assertLess(len(done.err), 400, "the line is repeated")

    def test_what_looks_odd_may_be_fine(self):
        for text in FINE:
            with self.subTest(text=text[:60]):
                self.ingest("-", data=text, accepted=1)

    def test_rejects_are_written_to_a_file_as_they_came(self):
        path = self.directory / "rejects"
        bad = [harness.to_bytes(x) for x, _ in MALFORMED if len(x) <= 20_000]
        done = self.ingest(
            *("--format", "ndjson", "--rejects", path, "-"),
            data=b"".join(GOOD + x + b"\n" for x in bad),
            code=SOME_REJECTED,
            accepted=len(bad),
            malformed=len(bad),
        )
        self.assertEqual(path.read_bytes().split(b"\n")[:-1], bad)
        # The terminal is spared.
        self.assertEqual(len(done.err.splitlines()), 6, done)
        self.assertIn("further bad lines are counted", done.err)

    def test_rejects_that_cannot_be_written_are_told_at_once(self):
        done = self.ingest_fails("--rejects", "/nonexistent/x", "-")
        self.assertIn("/nonexistent/x", done.err)

    def ingest_fails(self, *args, code=FAILED, data=GOOD):
        before = self.shared.ledger()
        done = self.shared.run("ingest", *args, data=data)
        self.assert_done(done, code)
        self.assertTrue(done.err.startswith("weir: "), done)
        self.assertEqual(self.shared.ledger(), before)
        return done

    def test_strict_stops_at_the_first_bad_line(self):
        done = self.ingest(
            *("--format", "ndjson", "--strict", "-"),
            data=GOOD * 3 + b"bad\n" + GOOD * 3,
            code=SOME_REJECTED,
            accepted=3,
            malformed=1,
        )
        self.assertIn("-:4: ", done.err)
        self.assertIn("--strict", done.err)

    def test_nothing_is_no_error(self):
        empty = self.write("empty", "")
        self.ingest("-")
        self.ingest(empty)
        self.ingest("-", data="\n\n  \n")
        zipped = self.write("empty.gz", gzip.compress(b""))
        self.ingest(zipped)

    def test_files_that_cannot_be_read_leave_the_others_in(self):
        good = self.write("good.ndjson", GOOD * 5)
        absent = self.directory / "absent"
        done = self.ingest(
            *(absent, good, self.directory), code=FAILED, accepted=5
        )
        self.assertIn(f"{absent}", done.err)
        self.assertIn(f"{self.directory}", done.err)
        self.assertEqual(len(done.err.splitlines()), 2, done)

    def test_a_gzip_file_that_is_cut_counts_up_to_there(self):
        lines = b"".join(
            harness.event("cut", BASE + i, i * i % 1_000).encode()
            for i in range(10_000)
        )
        whole = gzip.compress(lines)
        path = self.write("cut.gz", whole[: len(whole) // 2])
        before = self.shared.ledger()["accepted"]
        done = self.shared.run("ingest", "--json", path)
        self.assert_done(done, FAILED)
        self.assertIn(f"{path}", done.err)
        accepted = done.row["accepted"]
        self.assertTrue(0 < accepted < 10_000, done)
        self.assertEqual(self.shared.ledger()["accepted"] - before, accepted)
        self.assertEqual(self.count("cut"), accepted)
        noise = self.write("noise.gz", whole[:20] + b"\0noise" * 50)
        self.assertEqual(
            self.shared.run("ingest", "--json", noise).code, FAILED
        )

    def test_csv_as_people_write_it(self):
        for name, text, args in (
            ("plain", f"timestamp,entity,value\n{BASE},csv,1\n", ()),
            ("other order", f"value,timestamp,entity\n1,{BASE},csv\n", ()),
            ("crlf", f"timestamp,entity,value\r\n{BASE},csv,1\r\n", ()),
            ("mark", f"\ufefftimestamp,entity,value\n{BASE},csv,1\n", ()),
            ("quotes", f'timestamp,entity,value\n{BASE},"csv","1"\n', ()),
            ("no end", f"timestamp,entity,value\n{BASE},csv,1", ()),
            (
                "own names",
                f"wann,wer,was\n{BASE},csv,1\n",
                ("--time", "wann", "--entity", "wer", "--value", "was"),
            ),
            (
                "seconds",
                f"timestamp,entity,value\n{BASE // 1000},csv,1\n",
                ("--time-unit", "s"),
            ),
        ):
            with self.subTest(name=name):
                before = self.count("csv")
                self.ingest(*args, "-", data=text, accepted=1)
                self.assertEqual(self.count("csv"), before + 1)

    def test_csv_with_several_metrics_is_a_sample_a_line(self):
        text = (
            f"timestamp,sensor_id,heat,wind\n{BASE // 1000},mast,3,4\n"
            f"{BASE // 1000 + 1},mast,5,\n"
        )
        self.ingest("-", data=text, accepted=3)
        self.assertEqual(self.count("mast", "heat"), 2)
        self.assertEqual(self.count("mast", "wind"), 1)

    def test_a_bad_row_of_csv_is_told_with_its_line(self):
        text = f"timestamp,entity,value\n{BASE},csv,1\n{BASE},csv\n{BASE},csv,x\n"
        done = self.ingest(
            "-", data=text, code=SOME_REJECTED, accepted=1, malformed=2
        )
        lines = done.err.splitlines()
        self.assertTrue(lines[0].startswith("weir: -:3: "), done)
        self.assertTrue(lines[1].startswith("weir: -:4: "), done)

    def test_a_csv_header_without_the_columns_stops_that_file(self):
        done = self.ingest("-", data="colour,size\nred,1\n", code=FAILED)
        self.assertIn("colour", done.err)
        done = self.ingest(
            *("--value", "weight", "-"),
            data=f"timestamp,entity,value\n{BASE},csv,1\n",
            code=FAILED,
        )
        self.assertIn("weight", done.err)

    def test_samples_hold_many_metrics_in_seconds(self):
        sample = (
            f'{{"sensor_id":"s","timestamp":{BASE // 1000},'
            '"data":{"a":1,"b":-2,"c.d":3}}'
        )
        self.ingest("-", data=sample, accepted=3)
        self.assertEqual([self.count("s", x) for x in ("a", "b", "c.d")], [1] * 3)


class TimeTest(harness.SystemTest):
    def test_readings_from_the_future_are_counted_and_not_kept(self):
        cluster = self.start()
        now = int(time.time() * 1000)
        lines = [
            harness.event("e", now - 1_000, 1),
            harness.event("e", now + 60_000, 2),
            harness.event("e", now + 600_000, 3),
            harness.event("e", now + 10 * 365 * 86_400_000, 4),
        ]
        done = cluster.ingest("".join(lines))
        self.assert_done(done, SOME_REJECTED)
        self.assertEqual((done.row["accepted"], done.row["future"]), (2, 2))
        self.assert_ledger(cluster, accepted=2, future=2)
        question = {"entity": "e", "at": now + 700_000, "window": 700_000_000}
        (row,) = self.assert_done(cluster.ask([question])).rows
        self.assertEqual((row["count"], row["average"]), (2, 1.5))
        # What is ahead does not make the present late.
        clock = cluster.status()["clock_ms"]
        self.assertLessEqual(clock, int(time.time() * 1000))

    def test_late_readings_are_counted_and_not_kept(self):
        cluster = self.start(settings={"window": "60s", "lateness": "10s"})
        times = [100_000, 100_000 - 69_999, 100_000 - 70_000, 0, 100_000]
        text = "".join(harness.event("e", BASE + t, t) for t in times)
        done = self.assert_done(cluster.ingest(text))
        self.assertEqual((done.row["accepted"], done.row["late"]), (3, 2))
        self.assert_ledger(cluster, accepted=3, late=2)
        question = {"entity": "e", "at": BASE + 100_000, "window": 200_000}
        (row,) = self.assert_done(cluster.ask([question])).rows
        self.assertEqual(row["count"], 3)
        self.assertFalse(row["complete"], "it reaches before what is kept")


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


class DoorTest(harness.SystemTest):
    def server_fails(self, code, *args):
        with tempfile.TemporaryDirectory() as data:
            done = harness.weir("serve", "--data", data, *args)
            self.assert_done(done, code)
            return done

    def test_listening_to_the_world_is_refused(self):
        for host in ("0.0.0.0", "[::]"):
            done = self.server_fails(USAGE, "--listen", f"{host}:0")
            self.assertIn("refusing to listen", done.err)

    def test_a_port_that_is_taken(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            done = self.server_fails(FAILED, "--listen", f"127.0.0.1:{port}")
            self.assertIn(f"127.0.0.1:{port}", done.err)

    def test_nobody_there_is_known_at_once(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            where = f"127.0.0.1:{free.getsockname()[1]}"
            for command in ("status", "query average e", "ingest -"):
                begun = time.monotonic()
                done = harness.weir(*command.split(), "--join", where)
                self.assert_done(done, UNREACHABLE)
                self.assertIn(where, done.err)
                self.assertLess(time.monotonic() - begun, 5)

    def test_somebody_who_says_nothing_is_given_up(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            where = f"127.0.0.1:{silent.getsockname()[1]}"
            for command in ("status", "query average e", "ingest -"):
                begun = time.monotonic()
                done = harness.weir(
                    *command.split(), "--join", where, "--timeout", "500ms"
                )
                self.assert_done(done, UNREACHABLE)
                self.assertIn(where, done.err)
                self.assertLess(time.monotonic() - begun, 10)

    def test_a_stopped_coordinator_is_given_up(self):
        cluster = self.start()
        cluster.head.pause()
        done = cluster.run("status", "--timeout", "500ms")
        self.assert_done(done, UNREACHABLE)
        cluster.head.resume()
        cluster.wait(1)

    def test_an_interrupted_producer_says_how_far_it_came(self):
        cluster = self.start()
        producer = cluster.start_ingest("--producer", "p", "-")
        producer.popen.stdin.write(GOOD * 1000)
        producer.popen.stdin.flush()
        harness.eventually(
            "it has sent", lambda: cluster.ledger()["accepted"] == 1000
        )
        producer.signal(signal.SIGINT)
        self.assertEqual(producer.wait(), FAILED, producer.output)
        self.assertIn("interrupted after 1000 records", producer.output)
        self.assert_ledger(cluster, accepted=1000)


if __name__ == "__main__":
    unittest.main()
