"""Mutual TLS between processes, and strangers at their ports."""

import os
import pathlib
import resource
import shutil
import socket
import stat
import struct
import sys
import tempfile
import unittest

import harness
from harness import eventually
from simple import SimpleTest

FAILED, USAGE, UNREACHABLE = 1, 2, 4

# What the strangers of the last test may cost a process, in all. Measured:
# docs/operations.md.
STRANGERS_BYTES_MAX = 64 << 20
STRANGERS = 1000

# A certificate of 2019, whose CA and key are forgotten.
EXPIRED = {
    "ca.pem": """\
-----BEGIN CERTIFICATE-----
MIIBhjCCASugAwIBAgIQFJe95xC2GY5T4xXJQpzDkjAKBggqhkjOPQQDAjAgMQ0w
CwYDVQQKDAR3ZWlyMQ8wDQYDVQQDDAZvbGQtY2EwIBcNMTgxMjMxMjMwMDAwWhgP
MjExODEyMDgwMDAwMDBaMCAxDTALBgNVBAoMBHdlaXIxDzANBgNVBAMMBm9sZC1j
YTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABE3AjEKJx3qUmjcS8yVlmtfH+bIx
J2Y2ENk2Zd2xaH2snhgC7jOqptpws8fyjjyk05T47LSX2Yi6gOiB8OyeJMqjRTBD
MBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBRF
OnUtYhcLvK0T7DyY46RxQBRvWDAKBggqhkjOPQQDAgNJADBGAiEA+R4/YvFlOhFT
Vgz5j9Xtx4ijhBBR6myWn55DywkXgBcCIQCHy9gHvaNOiuWU9igmlqml+IgqOjA2
5sc9SUipcW8k7A==
-----END CERTIFICATE-----
""",
    "cert.pem": """\
-----BEGIN CERTIFICATE-----
MIIBzDCCAXKgAwIBAgIQNELVAuBJYhzut+IdmzojuDAKBggqhkjOPQQDAjAgMQ0w
CwYDVQQKDAR3ZWlyMQ8wDQYDVQQDDAZvbGQtY2EwHhcNMTgxMjMxMjMwMDAwWhcN
MjAwMTAxMDAwMDAwWjAdMQ0wCwYDVQQKDAR3ZWlyMQwwCgYDVQQDDANvbGQwWTAT
BgcqhkjOPQIBBggqhkjOPQMBBwNCAAQTJMze1hOXQybNMvj5QqBj516eo95/PQkj
td+OkeDqxih229r8AiHxtrStxi4KW9MsxC8VKK8aUDjLgu4IHC8io4GQMIGNMAwG
A1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMB0GA1UdJQQWMBQGCCsGAQUFBwMB
BggrBgEFBQcDAjAdBgNVHQ4EFgQUMqm2zQMiqppeFY1Fjt6r8+FjjOwwHwYDVR0j
BBgwFoAURTp1LWIXC7ytE+w8mOOkcUAUb1gwDgYDVR0RBAcwBYIDb2xkMAoGCCqG
SM49BAMCA0gAMEUCIFgtcBgXf05lFlqeAHOc4rp1CLCzpdCbYVUn6nlRVJjvAiEA
/hHDYtNCh4bYvmgUlqkE58c1HH1yH9iLP6JzlhRFGxQ=
-----END CERTIFICATE-----
""",
    "key.pem": """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7saQmHVLMgiG1WkE
18PShUs3OhrwRYJClOAXQi+7CHihRANCAAQTJMze1hOXQybNMvj5QqBj516eo95/
PQkjtd+OkeDqxih229r8AiHxtrStxi4KW9MsxC8VKK8aUDjLgu4IHC8i
-----END PRIVATE KEY-----
""",
}


def header(operation, payload):
    """Of the protocol that runs inside of TLS."""
    return struct.pack(">BBBBIQQQ", operation, 0, 0, 0, payload, 0, 0, 0)


def client_hello(size):
    """The beginning of a TLS handshake, of so many bytes, without its last."""
    message = struct.pack(">BBHH", 1, size >> 16, size & 0xFFFF, 0x0303)
    message += b"x" * (size - 3)
    parts = [message[i : i + 16384] for i in range(0, len(message), 16384)]
    return b"".join(struct.pack(">BHH", 22, 0x0301, len(x)) + x for x in parts)


# What strangers say.
GARBAGE = {
    "nothing": b"",
    "random bytes": os.urandom(1 << 16),
    "HTTP": b"GET / HTTP/1.1\r\nHost: weir\r\n\r\n",
    "a handshake of nothing": header(0, 0),
    "a handshake of 4 GiB": header(1, 0xFFFFFFFF) + b"x" * 1000,
    "a nested message": header(2, 1 << 20) + b"@<>+" * (1 << 18),
    "a long hello": client_hello(120_000),
}


class Authority:
    """A CA, and the directories of those who have a certificate of it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.done(harness.weir("certs", "init", "--dir", self.directory))

    @staticmethod
    def done(run):
        if run.code != 0:
            raise AssertionError(repr(run))

    def add(self, name):
        self.done(harness.weir("certs", "add", name, "--dir", self.directory))
        return self.directory / name


class TlsCluster(harness.Cluster):
    """All of whose processes have certificates of one CA."""

    def __init__(self, authority, nodes=0):
        self.client = authority.add("client")
        servers = authority.add("server")
        super().__init__(
            nodes, {"tls-dir": servers}, ["--tls-dir", servers] if nodes else []
        )

    def run(self, command, *args, data=None):
        if "--tls-dir" not in args:
            args = ("--tls-dir", self.client, *args)
        return super().run(command, *args, data=data)


def strangers(address, says):
    """Many of them, who have said something and stay."""
    host, port = address.rsplit(":", 1)
    for _ in range(STRANGERS):
        knock = socket.socket()
        knock.settimeout(harness.PATIENCE)
        try:
            knock.connect((host, int(port)))
            knock.sendall(says)
        except OSError:
            pass  # Turned away before it was done.
        yield knock


class TlsTest(SimpleTest):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-tls-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.authority = Authority(self.directory / "ca")

    def start_tls(self, nodes=0):
        self.clusters.append(TlsCluster(self.authority, nodes))
        return self.clusters[-1]

    def other(self):
        """Somebody of another CA."""
        return Authority(self.directory / "other").add("stranger")

    def serve_fails(self, tls, *args):
        """What a server says that does not start with such a directory."""
        data = self.directory / "unused"
        done = harness.weir("serve", "--data", data, "--tls-dir", tls, *args)
        self.assert_done(done, USAGE)
        self.assertFalse(data.exists())
        return done.err

    # -- who has a certificate

    def test_a_cluster_ingests_and_answers(self):
        cluster = self.start_tls(2)
        self.fill(cluster, range(40))
        self.assert_answered(cluster, range(40))
        self.assertEqual(set(self.owners(cluster).values()), {"n1", "n2"})

    def test_connections_come_back_after_restarts(self):
        cluster = self.start_tls(1)
        self.fill(cluster, range(5))
        cluster.head.restart()
        cluster.wait(1)
        self.assert_answered(cluster, range(5))
        cluster.nodes[0].restart()
        cluster.wait(1)
        self.assert_answered(cluster, range(5))

    def test_files_that_vanish_harm_nobody(self):
        cluster = self.start_tls()
        shutil.rmtree(self.directory / "ca" / "server")
        for _ in range(3):
            cluster.status()
        self.fill(cluster, range(5))

    def test_every_command_takes_a_certificate(self):
        cluster = self.start_tls()
        self.fill(cluster, range(1))
        for command in (
            "status",
            "query average e0",
            "query windows --from 2023-11-14 --to 2023-11-15",
            "window list",
            "config set lateness=11s",
            f"backup {self.directory}/backup",
        ):
            with self.subTest(command=command):
                self.assert_done(cluster.run(command))

    def test_another_address_than_loopback_is_allowed(self):
        tls = self.authority.add("s2")
        args = ["--listen", "0.0.0.0:0"]
        self.assertIn("--advertise", self.serve_fails(tls, *args))
        cluster = self.start_tls()
        other = cluster.server(
            "serve", "s2", ["--tls-dir", tls, "--advertise", "127.0.0.1:0"]
        )
        other.address = "0.0.0.0:0"
        cluster.nodes.append(other)
        other.start()
        port = other.address.rsplit(":", 1)[1]
        done = harness.weir(
            "status", "--join", f"127.0.0.1:{port}", "--tls-dir", tls, "--json"
        )
        (node,) = self.assert_done(done).row["nodes"]
        self.assertTrue(node["address"].startswith("127.0.0.1:"), node)

    # -- who has none

    def test_a_client_of_another_ca_is_turned_away(self):
        cluster = self.start_tls()
        stranger = self.other()
        for command in ("status", "query average e0", "ingest -", "window list"):
            with self.subTest(command=command):
                done = cluster.run(command, "--tls-dir", stranger)
                self.assert_done(done, USAGE)
                self.assertIn("is not accepted here (another CA", done.err)
        self.assertEqual(cluster.ledger()["received"], 0)

    def test_a_node_of_another_ca_is_turned_away(self):
        cluster = self.start_tls(1)
        stranger = cluster.server(
            "node", "n2", ["--join", cluster.join, "--tls-dir", self.other()]
        )
        cluster.nodes.append(stranger)
        stranger.launch()
        eventually(
            "it is told why", lambda: "another CA" in stranger.process.output
        )
        self.assertEqual(len(cluster.status()["nodes"]), 1)
        self.assertIn("did not accept our certificate", cluster.head.process.output)

    def test_a_client_without_tls_is_turned_away(self):
        cluster = self.start_tls()
        done = harness.weir("status", "--join", cluster.join)
        self.assert_done(done, UNREACHABLE)
        self.assertIn("may want TLS (--tls-dir)", done.err)

    def test_a_server_without_tls_is_known_as_one(self):
        cluster = self.start()
        done = cluster.run("status", "--tls-dir", self.authority.add("client"))
        self.assert_done(done, UNREACHABLE)
        self.assertIn("does not speak TLS", done.err)
        cluster.status()

    def test_a_stopped_server_is_given_up(self):
        cluster = self.start_tls()
        cluster.head.pause()
        done = cluster.run("status", "--timeout", "500ms")
        self.assert_done(done, UNREACHABLE)
        self.assertIn(cluster.join, done.err)
        cluster.head.resume()
        cluster.wait(1)

    # -- what is wrong with a directory

    def test_a_bad_directory_is_told_at_the_start(self):
        tls = self.authority.add("server")
        other = self.other()
        where = ["--join", "127.0.0.1:1"]
        for name in ("ca.pem", "cert.pem", "key.pem"):
            content = (tls / name).read_bytes()
            for problem, bad in ((" is missing", None), (" is no ", b"oops\n")):
                (tls / name).unlink(missing_ok=True)
                if bad:
                    (tls / name).write_bytes(bad)
                for done in (
                    self.serve_fails(tls),
                    harness.weir("status", *where, "--tls-dir", tls).err,
                    harness.weir("ingest", *where, "--tls-dir", tls).err,
                    harness.weir("node", *where, "--tls-dir", tls).err,
                ):
                    self.assertIn(f"{tls / name}{problem}", done)
                    self.assertEqual(done.count("weir: "), 1, done)
            (tls / name).write_bytes(content)
        shutil.copy(other / "key.pem", tls / "key.pem")
        self.assertIn("is not the key of", self.serve_fails(tls))
        shutil.copy(other / "cert.pem", tls / "cert.pem")
        self.assertIn("was not issued by the CA", self.serve_fails(tls))

    def test_an_expired_certificate_is_told_at_the_start(self):
        for name, content in EXPIRED.items():
            (self.directory / name).write_text(content, encoding="ascii")
            (self.directory / name).chmod(0o600)
        expected = "cert.pem expired at 2020-01-01T00:00:00Z"
        self.assertIn(expected, self.serve_fails(self.directory))
        done = harness.weir("status", "--tls-dir", self.directory)
        self.assert_done(done, USAGE)
        self.assertIn(expected, done.err)
        done = harness.weir("certs", "show", self.directory)
        self.assert_done(done, USAGE)
        self.assertIn(expected, done.err)

    def test_a_key_that_others_may_read_is_warned_of(self):
        cluster = self.start_tls()
        (cluster.client / "key.pem").chmod(0o644)
        done = self.assert_done(cluster.run("status"))
        self.assertIn("chmod 600", done.err)

    # -- weir certs

    def test_certificates_are_made_and_shown(self):
        made = self.authority.add("n1")
        self.assertEqual(
            {x.name: stat.S_IMODE(x.stat().st_mode) for x in made.iterdir()},
            {"ca.pem": 0o600, "cert.pem": 0o600, "key.pem": 0o600},
        )
        ca = self.authority.directory
        self.assertEqual(stat.S_IMODE((ca / "ca-key.pem").stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(ca.stat().st_mode), 0o700)
        shown = self.assert_done(harness.weir("certs", "show", made, "--json")).row
        self.assertEqual(
            [x["subject"] for x in shown["certificates"]],
            ["O = weir, CN = weir-ca", "O = weir, CN = n1"],
        )
        self.assertEqual((shown["problems"], shown["warnings"]), ([], []))
        self.assertIn("CN = n1", harness.weir("certs", "show", made).out)

    def test_nothing_is_overwritten(self):
        made = self.authority.add("n1")
        before = {x.name: x.read_bytes() for x in made.iterdir()}
        ca = self.authority.directory
        for args in (["add", "n1", "--dir", ca], ["init", "--dir", ca]):
            done = harness.weir("certs", *args)
            self.assert_done(done, FAILED)
            self.assertIn("exists already", done.err)
        self.assertEqual({x.name: x.read_bytes() for x in made.iterdir()}, before)

    def test_bad_names_and_days_are_refused(self):
        ca = self.authority.directory
        for args in (["a/b"], [".."], ["n1", "--days", 0], ["n1", "--days", "x"]):
            done = harness.weir("certs", "add", *args, "--dir", ca)
            self.assert_done(done, USAGE)

    # -- strangers

    def test_garbage_on_every_port_stops_nobody(self):
        # A socket each, on two ports.
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = max(limits[0], 2 * STRANGERS + 100)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        cluster = self.start_tls(1)
        (node,) = cluster.status()["nodes"]
        servers = [cluster.head.process, cluster.nodes[0].process]
        line = harness.event("e", 1_700_000_000_000, 7).encode() * 1000
        producer = cluster.start_ingest("--tls-dir", cluster.client, "-")
        sent = 0

        def send():
            nonlocal sent
            producer.popen.stdin.write(line)
            producer.popen.stdin.flush()
            sent += 1000
            eventually(
                "what is sent counts",
                lambda: cluster.ledger()["accepted"] == sent,
            )

        send()
        before = [x.memory_bytes() for x in servers]
        peak = before
        for name, says in GARBAGE.items():
            knocks = []
            for address in (cluster.join, node["address"]):
                for n, knock in enumerate(strangers(address, says)):
                    knocks.append(knock)
                    if n % 100 == 0:
                        now = [x.memory_bytes() for x in servers]
                        peak = [max(pair) for pair in zip(peak, now)]
            send()
            now = [x.memory_bytes() for x in servers]
            peak = [max(pair) for pair in zip(peak, now)]
            for knock in knocks:
                knock.close()
            text = ", ".join(f"{x / 2**20:.1f} MiB" for x in now)
            print(f"{name}: {text}", file=sys.stderr)
        send()
        producer.popen.stdin.close()
        self.assertEqual(producer.wait(), 0, producer.output)
        self.assert_ledger(cluster, accepted=sent)
        for x, least, most in zip(servers, before, peak):
            self.assertTrue(x.running)
            text = f"{x.args[0]}: {least / 2**20:.1f} MiB, at most "
            text += f"{most / 2**20:.1f}, then {x.memory_bytes() / 2**20:.1f}"
            print(text, file=sys.stderr)
            self.assertLess(most - least, STRANGERS_BYTES_MAX)


if __name__ == "__main__":
    unittest.main()
