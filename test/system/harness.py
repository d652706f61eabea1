"""Real weir processes, for tests that see them from outside.

A test derives from SystemTest and starts a Cluster, which is stopped, and whose
logs are printed, if the test fails. The program is the one that WEIR names,
else build/weir; shared data lies where WEIR_SHARED says, else beside the
project.

Servers end with the thread that started them (so that none outlives a test
that is killed): start them from the main thread.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from oracle import Oracle  # Tests take it from here.

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
SHARED = pathlib.Path(
    os.environ.get("WEIR_SHARED") or ROOT.parent / "shared"
)

# What a busy machine may take for what an idle one does in a moment.
PATIENCE = 60
# Between two looks at something that nobody announces.
LOOK_EVERY = 0.02

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("WEIR")}
# Replaces itself by the program, so that the process is the program.
LEASH = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []

READY = re.compile(r"^weir (?:coordinator|serve|node (\S+)) ready at (\S+)", re.M)


def eventually(what, probe, timeout=PATIENCE):
    """The first true result of probe(); fails with `what` if none comes."""
    deadline = time.monotonic() + timeout
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(LOOK_EVERY)


class Run:
    """A command that has ended: exit code, stdout and stderr."""

    def __init__(self, args, code, out, err):
        self.args, self.code, self.out, self.err = args, code, out, err

    @property
    def rows(self):
        """The JSON objects of stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self):
        (row,) = self.rows
        return row

    def __repr__(self):
        return (
            f"`weir {' '.join(map(str, self.args))}` left {self.code}\n"
            f"stdout: {self.out[-2000:]}\nstderr: {self.err[-4000:]}"
        )


def to_bytes(data):
    return data.encode() if isinstance(data, str) else data


def weir(*args, data=None, timeout=2 * PATIENCE):
    """Runs weir to its end, with `data` (text or bytes) as its input."""
    done = subprocess.run(
        [WEIR, *map(str, args)],
        env=ENVIRONMENT,
        input=to_bytes(data) if data is not None else b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=timeout,
        check=False,
    )
    return Run(
        args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )


class Process:
    """A weir that runs beside the test, its output in a file."""

    def __init__(self, args, log, stdin=None, under=(), program=WEIR):
        """`under` is a command that becomes the program that it is given."""
        self.args, self.log = args, log
        with open(log, "ab") as out:
            self.log_start = out.tell()
            self.popen = subprocess.Popen(
                [*LEASH, *under, program, *map(str, args)],
                env=ENVIRONMENT,
                stdin=stdin or subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self):
        """What this process has written so far."""
        with open(self.log, "rb") as file:
            file.seek(self.log_start)
            return file.read().decode(errors="replace")

    @property
    def running(self):
        return self.popen.poll() is None

    def memory_bytes(self):
        """Resident, as the system counts."""
        with open(f"/proc/{self.popen.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def wait(self, timeout=2 * PATIENCE):
        """Its exit code, once it ends by itself."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"weir {self.args[0]} runs on after {timeout} s:\n{self.output}"
            ) from None

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        """Without a chance to clean up."""
        self.popen.kill()
        return self.popen.wait()

    def stop(self):
        """Politely."""
        self.popen.terminate()
        return self.wait()


class Server:
    """A coordinator, node or serve: a role, a data directory and an address,
    which stay the same from one process to the next."""

    # What starts it, as in Process; and where it listens at first.
    under = ()
    program = WEIR
    host = "127.0.0.1"

    def __init__(self, role, directory, name, options):
        self.role, self.name, self.options = role, name, options
        self.data = directory / name
        self.log = directory / f"{name}.log"
        self.address = None
        self.process = None
        self.called = None

    def launch(self):
        listen = self.address or f"{self.host}:0"
        self.process = Process(
            [self.role, "--data", self.data, "--listen", listen, *self.options],
            self.log,
            under=self.under,
            program=self.program,
        )

    def start(self):
        """Starts it, and waits until it says that it is ready."""
        self.launch()
        return self.wait_ready()

    def wait_ready(self):
        def ready():
            if not self.process.running:
                raise AssertionError(
                    f"{self.name} ended with {self.process.popen.returncode} "
                    f"before it was ready:\n{self.process.output}"
                )
            return READY.search(self.process.output)

        found = eventually(f"{self.name} says that it is ready", ready)
        self.called, self.address = found.groups()
        return self

    def kill(self):
        self.process.kill()

    def stop(self):
        return self.process.stop()

    def pause(self):
        self.process.signal(signal.SIGSTOP)

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def restart(self):
        self.kill()
        return self.start()


class Cluster:
    """A coordinator and `nodes` nodes n1, n2, ...; or, with none, one serve.

    `settings` are the cluster's, as in {"retention": "1d"}; `node_options` the
    further arguments of every node or of serve; `data` the directories of
    those whose data shall lie elsewhere, by name.
    """

    make_server = Server

    def __init__(self, nodes=0, settings=None, node_options=(), data=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-test-"))
        self.node_options = list(node_options)
        self.data = data or {}
        self.nodes = []
        self.clients = []
        flags = [f"--{k}={v}" for k, v in (settings or {}).items()]
        try:
            if nodes == 0:
                self.head = self.server("serve", "serve", [*flags, *node_options])
                self.head.start()
            else:
                self.head = self.server("coordinator", "coordinator", flags)
                self.head.start()
                for _ in range(nodes):
                    self.add_node()
            self.wait(max(nodes, 1))
        except BaseException:
            self.dump()
            self.close()
            raise

    def server(self, role, name, options):
        res = self.make_server(role, self.directory, name, options)
        res.data = self.data.get(name, res.data)
        return res

    def add_node(self, *options):
        name = f"n{len(self.nodes) + 1}"
        node = self.server(
            "node",
            name,
            ["--join", self.join, "--name", name, *self.node_options, *options],
        )
        self.nodes.append(node)
        return node.start()

    @property
    def join(self):
        return self.head.address

    @property
    def servers(self):
        return [self.head, *self.nodes]

    def run(self, command, *args, data=None):
        """Any command of the cluster's clients."""
        words = command.split()
        return weir(*words, "--join", self.join, *args, data=data)

    def wait(self, nodes):
        """Until so many nodes are up and every shard is served."""
        done = self.run("status", "--wait", nodes, "--timeout", f"{PATIENCE}s")
        if done.code != 0:
            raise AssertionError(repr(done))

    def status(self):
        done = self.run("status", "--json")
        if done.code != 0:
            raise AssertionError(repr(done))
        return done.row

    def ledger(self):
        return self.status()["ledger"]

    def ingest(self, data, *args):
        """Sends text, bytes, or the file at a path, to the end."""
        if isinstance(data, pathlib.Path):
            return self.run("ingest", "--json", *args, data)
        return self.run("ingest", "--json", *args, "-", data=data)

    def start_ingest(self, *args, stdin=subprocess.PIPE):
        """A producer beside the test."""
        log = self.directory / f"ingest{len(self.clients) + 1}.log"
        res = Process(["ingest", "--join", self.join, "--json", *args], log, stdin)
        self.clients.append(res)
        return res

    def ask(self, questions, *args):
        """Asks [{"entity":, "window":, "at":}, ...] at once."""
        lines = "".join(json.dumps(x) + "\n" for x in questions)
        path = self.directory / "questions.ndjson"
        path.write_text(lines, encoding="utf-8")
        return self.run("query average", "--from", path, "--json", *args)

    def processes(self):
        return [x.process for x in self.servers if x.process] + self.clients

    def dump(self):
        """What every process said, to stderr."""
        for log in sorted(self.directory.glob("*.log")):
            text = log.read_text(encoding="utf-8", errors="replace")
            print(f"--- {log.name}\n{text[-8000:]}", file=sys.stderr)

    def close(self):
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            if process.popen.stdin:
                with contextlib.suppress(BrokenPipeError):
                    process.popen.stdin.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class SystemTest(unittest.TestCase):
    """A test with clusters of its own, or one that its class shares."""

    shared = None

    def run(self, result=None):
        self.clusters = []
        try:
            result = super().run(result)
            failed = [x for x, _ in result.failures + result.errors]
            if any(getattr(x, "test_case", x) is self for x in failed):
                for cluster in [*self.clusters, *filter(None, [self.shared])]:
                    cluster.dump()
        finally:
            for cluster in self.clusters:
                cluster.close()
        return result

    def start(self, *args, **kwargs):
        self.clusters.append(Cluster(*args, **kwargs))
        return self.clusters[-1]

    def assert_ledger(self, cluster, **expected):
        """Every count that is not named is zero, but for `received`, which is
        the sum."""
        names = ("accepted", "duplicate", "late", "future", "malformed", "refused")
        want = {x: expected.pop(x, 0) for x in names}
        self.assertEqual(expected, {})
        want["received"] = sum(want.values())
        # It travels by heartbeat.
        seen = []

        def matches():
            seen.append(cluster.ledger())
            return seen[-1] == want

        with contextlib.suppress(AssertionError):
            eventually("the ledger", matches, 10)
        self.assertEqual(seen[-1], want)

    def assert_done(self, run, code=0):
        self.assertEqual(run.code, code, run)
        return run

    def assert_answers(self, cluster, oracle, questions):
        """All answers are the oracle's to the last bit. Values are integers
        whose sums are below 2^53, so that there is just one right double."""
        done = self.assert_done(cluster.ask(questions))
        answers = done.rows
        self.assertEqual(len(answers), len(questions))
        for question, answer in zip(questions, answers):
            count, total = oracle.window(**question)
            self.assertEqual(
                (answer["entity"], answer["count"], answer["average"]),
                (question["entity"], count, total / count if count else None),
                answer,
            )
            self.assertTrue(answer["exact"], answer)


def event(entity, at, value):
    """A line of input."""
    return f'{{"timestamp":{at},"entity":"{entity}","value":{value}}}\n'
