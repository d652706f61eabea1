"""Who may come in, and how soon those are told who may not."""

import pathlib
import signal
import socket
import tempfile
import time
import unittest

import harness

FAILED, USAGE, UNREACHABLE = 1, 2, 4

GOOD = harness.event("good", 1_700_000_000_000, 7).encode()


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

    def test_connections_get_descriptors_in_turn(self):
        # Else CAF cleans up after one that has just closed by taking away one
        # that has just been opened.
        cluster = self.start(nodes=2)
        self.assert_done(cluster.ingest(GOOD.decode()))
        rows = pathlib.Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
        # By inode, those that are established.
        connections = {x.split()[9] for x in rows if x.split()[3] == "01"}
        for server in (cluster.head, *cluster.nodes):
            folder = pathlib.Path(f"/proc/{server.process.popen.pid}/fd")
            links = {x: str(x.readlink()) for x in folder.iterdir() if x.is_symlink()}
            found = sorted(
                int(x.name)
                for x, to in links.items()
                if to.startswith("socket:") and to[8:-1] in connections
            )
            # At least one to each of the two others.
            self.assertGreaterEqual(len(found), 2, server.name)
            self.assertGreaterEqual(found[0], 128, server.name)

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

    def test_a_slow_coordinator_is_waited_for_until_the_timeout(self):
        cluster = self.start()
        cluster.head.pause()
        begun = time.monotonic()
        done = cluster.run("status", "--timeout", "1500ms")
        self.assert_done(done, UNREACHABLE)
        self.assertGreater(time.monotonic() - begun, 1.4)
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
