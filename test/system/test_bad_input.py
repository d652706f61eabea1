"""Input that is none, or only in part."""

import gzip
import time
import unittest

import harness

BASE = 1_700_000_000_000
FAILED, SOME_REJECTED = 1, 5

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

    def test_strict_is_no_success_though_the_bad_line_was_counted_before(self):
        args = ("--producer", "p", "--resume", "--strict", "-")
        data = GOOD * 3 + b"bad\n" + GOOD * 3
        self.ingest(*args, data=data, code=SOME_REJECTED, accepted=3, malformed=1)
        self.ingest(*args, data=data, code=SOME_REJECTED, duplicate=4)

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

if __name__ == "__main__":
    unittest.main()
