"""Who sends what, and what of it had come before."""

import unittest

import harness
from simple import SimpleTest, events


class ProducerTest(SimpleTest):
    def test_of_two_processes_with_one_name_the_elder_stops(self):
        cluster = self.start(nodes=2)
        elder = cluster.start_ingest("--producer", "p", "-")
        elder.popen.stdin.write(events(range(20), [0]).encode())
        elder.popen.stdin.flush()
        harness.eventually(
            "it has sent", lambda: cluster.ledger()["accepted"] == 20
        )
        done = cluster.ingest(events(range(20), [1_000]), "--producer", "p")
        self.assert_done(done)
        self.assertEqual(done.row["accepted"], 20)
        elder.popen.stdin.write(events(range(20), [2_000]).encode())
        elder.popen.stdin.flush()
        self.assertEqual(elder.wait(), 1, elder.output)
        self.assertRegex(elder.output, "(?m)^weir: .*producer")
        self.assert_ledger(cluster, accepted=40)

    def test_another_input_is_not_taken_for_the_interrupted_one(self):
        cluster = self.start(nodes=2)
        sent = events(range(20))
        args = ("--producer", "p", "--resume")
        self.assert_done(cluster.ingest(sent, *args))
        for other in (
            events(range(20), factor=11),
            events(range(20), factor=11) + events(range(100)),
            events(range(10)),
            "",
        ):
            done = cluster.ingest(other, *args)
            self.assert_done(done, code=1)
            self.assertRegex(done.err, "this (is not the )?input")
        # None of that has done harm, and none was told to the coordinator.
        self.assertEqual(cluster.ledger()["duplicate"], 0)
        done = self.assert_done(cluster.ingest(sent, *args))
        self.assertEqual(
            (done.row["accepted"], done.row["duplicate"]), (0, 60)
        )
        self.assert_answered(cluster, range(20))
        self.assertEqual(cluster.ledger()["accepted"], 60)

    def test_a_name_has_a_limit(self):
        cluster = self.start()
        done = cluster.ingest(events([1]), "--producer", "x" * 513)
        self.assertIn("at most 512", self.assert_done(done, code=2).err)
        self.assert_done(cluster.ingest(events([1]), "--producer", "x" * 512))

    def test_what_was_all_sent_before_is_in_the_ledger_as_duplicate(self):
        cluster = self.start()
        args = ("--producer", "p", "--resume")
        text = events(range(20)) + "oops\n"
        self.assert_done(cluster.ingest(text, *args), code=5)
        for i in (1, 2):
            done = self.assert_done(cluster.ingest(text, *args))
            self.assertEqual(done.row["duplicate"], 61)
            self.assert_ledger(
                cluster, accepted=60, malformed=1, duplicate=61 * i
            )

    def test_a_file_that_has_grown_is_resumed_at_its_end(self):
        cluster = self.start(nodes=2)
        args = ("--producer", "p", "--resume")
        text = ""
        for i, t in enumerate((0, 1_000, 2_000)):
            text += events(range(20), [t])
            done = self.assert_done(cluster.ingest(text, *args))
            self.assertEqual(
                (done.row["accepted"], done.row["duplicate"]), (20, 20 * i)
            )
        self.assert_answered(cluster, range(20))
        self.assert_ledger(cluster, accepted=60, duplicate=60)

    def test_without_resume_the_same_lines_are_new_readings(self):
        cluster = self.start(nodes=2)
        for _ in range(2):
            done = cluster.ingest(events(range(20)), "--producer", "p")
            self.assertEqual(self.assert_done(done).row["accepted"], 60)
        self.assert_ledger(cluster, accepted=120)

    def test_a_sender_without_a_name_cannot_resume(self):
        done = harness.weir("ingest", "--resume", "-")
        self.assert_done(done, code=2)
        self.assertIn("--producer", done.err)
        done = harness.weir("ingest", "--producer", "", "--resume", "-")
        self.assert_done(done, code=2)
        self.assertIn("empty", done.err)

if __name__ == "__main__":
    unittest.main()
