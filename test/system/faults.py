"""A replicated cluster under constant ingest, in which things go wrong.

FaultTest keeps every reading that the producer was given, and `finish` compares
all that the cluster says with exact arithmetic over them: averages of every
entity, totals of every window, and the ledger. Its oracles know nothing of
shards, copies or nodes.

What is random comes from a seed, which is printed; WEIR_SEED sets it.
"""

import json
import math
import os
import random
import shutil
import subprocess
import threading
import time

import harness
from harness import LOOK_EVERY, PATIENCE, eventually  # Tests take it from here.
from rollups import totals

SEED = int(os.environ.get("WEIR_SEED") or random.randrange(10**6))
# A bound of windows of a minute.
BASE = 1_699_999_980_000
MINUTE = 60_000
# With these nothing is late, and every answer is exact however deep in the past.
SETTINGS = {"retention": "365d", "cells-max": 1_000_000}
# The least there is: checkpoints happen all the time.
OPTIONS = ["--checkpoint-every", "1MiB"]
WIDTHS = [1_000, 60_000, 3_600_000]
ENTITIES = 60
# How far times jump back, in ms: less than the default lateness.
DISORDER = 9_999
# Lines to a write, and how long the writer rests then. 5,000 a second keep all
# shards busy, and leave two cores to recovery.
CHUNK = 50
REST = 0.01
STARTED = time.monotonic()
# Questions whose answers never change, asked all the time.
FIXED = [
    {"entity": f"fixed{i}", "at": BASE + 5_000, "window": 60_000}
    for i in range(64)
]
# A default of the coordinator, in seconds.
FAILURE_TIMEOUT = 2


def print_seed():
    print(f"WEIR_SEED={SEED}", flush=True)


def say(text):
    print(f"{time.monotonic() - STARTED:8.2f} s  {text}", flush=True)


class Source(threading.Thread):
    """Writes events to a producer until `end`, and remembers them.

    Times go forth from BASE at a reading a millisecond, with jumps back.
    `before` are readings that were sent already.
    `windows` are the totals of all, in windows of `width` ms.
    """

    def __init__(self, producer, seed, before=(), width=MINUTE):
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.pipe = producer.popen.stdin
        self.width = width
        self.oracle = harness.Oracle()
        self.windows = {}
        for x in before:
            self.add(*x)
        self.before = len(before)
        # All that was written, for those who send it again.
        self.text = []
        self.over = threading.Event()
        self.error = None
        self.start()

    @property
    def written(self):
        return self.oracle.count - self.before

    def line(self):
        # Never before the first window.
        back = self.random.randrange(DISORDER)
        at = BASE + DISORDER + self.oracle.count - back
        entity = f"e{self.random.randrange(ENTITIES)}"
        value = self.random.randrange(-1_000_000, 1_000_000)
        self.add(entity, at, value)
        return harness.event(entity, at, value)

    def add(self, entity, at, value):
        self.oracle.add(entity, at, value)
        start = at // self.width * self.width
        key = start, start + self.width, "value"
        count, total, least, most = self.windows.get(
            key, (0, 0, math.inf, -math.inf)
        )
        self.windows[key] = (
            count + 1,
            total + value,
            min(least, value),
            max(most, value),
        )

    def run(self):
        try:
            while not self.over.is_set():
                lines = "".join(self.line() for _ in range(CHUNK)).encode()
                self.text.append(lines)
                self.pipe.write(lines)
                self.pipe.flush()
                self.over.wait(REST)
            self.pipe.close()
        except (BrokenPipeError, ValueError) as error:  # It is gone, or closed.
            self.error = error

    def end(self):
        self.over.set()
        self.join(PATIENCE)
        if self.error or self.is_alive():
            raise AssertionError("the producer does not read its input")


class Watcher(threading.Thread):
    """Looks at the cluster's status until `end`, and calls look(status)."""

    def __init__(self, cluster, look):
        super().__init__(daemon=True)
        self.cluster, self.look = cluster, look
        self.over = threading.Event()
        self.error = None
        self.start()

    def run(self):
        try:
            while not self.over.is_set():
                done = self.cluster.run("status", "--json")
                if done.code == 0:
                    self.look(done.row)
                self.over.wait(LOOK_EVERY)
        except BaseException as error:  # Told by end().
            self.error = error

    def end(self):
        self.over.set()
        self.join(PATIENCE)
        if self.error:
            raise self.error


class Asker(threading.Thread):
    """Asks the questions of FIXED, one after the other, until `end`: each answer
    must be right, and `longest` is the longest time that a question waited for
    one, repeated until then, in seconds."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            [*harness.LEASH, harness.WEIR, "query", "average", "--from", "-"]
            + ["--json", "--join", cluster.join],
            env=harness.ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.over = threading.Event()
        self.longest, self.answers, self.wrong = 0, 0, []
        self.refusals = {}
        self.start()

    def run(self):
        i = 0
        while not self.over.is_set() and not self.wrong:
            self.ask(i % len(FIXED))
            i += 1

    def ask(self, i):
        """Asks until there is an answer."""
        begun = time.monotonic()
        while not self.over.is_set():
            asked = time.monotonic()
            line = self.answer_to(FIXED[i])
            if not line and self.over.is_set():
                return  # It was closed meanwhile.
            waited = time.monotonic() - asked
            if waited > 1:
                say(f"a question waited for {waited:.2f} s: {line.strip()}")
            row = json.loads(line) if line else {"error": "it ended"}
            if not line or not ("error" in row or fixed_is_right(i, row)):
                self.wrong.append((FIXED[i], row))
            if "error" not in row or self.wrong:
                break
            self.refusals[row["error"]] = self.refusals.get(row["error"], 0) + 1
            self.over.wait(LOOK_EVERY)
        self.answers += 1
        self.longest = max(self.longest, time.monotonic() - begun)
        self.over.wait(LOOK_EVERY)

    def answer_to(self, question):
        """A line, or nothing if the process has ended."""
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline()
        except BrokenPipeError:
            return ""

    def close(self):
        """Whatever it is at: a test may be over early."""
        self.over.set()
        self.process.kill()
        self.join(PATIENCE)
        self.process.communicate()

    def end(self):
        self.over.set()
        self.join(PATIENCE)
        late = self.is_alive()
        self.close()
        if late:
            raise AssertionError("a question was never answered")
        if self.wrong:
            raise AssertionError(f"a wrong answer: {self.wrong}")
        say(
            f"{self.answers} questions were answered, after {self.longest:.2f} s at "
            f"most; refusals: {self.refusals}"
        )


def fixed_readings():
    return [
        (x["entity"], BASE + 1_000 * t, 100 * i + t)
        for i, x in enumerate(FIXED)
        for t in (1, 2, 3)
    ]


def fixed_is_right(i, row):
    return (row["count"], row["average"], row["exact"]) == (3, 100 * i + 2, True)


def copies_of(shard):
    """Names of the nodes that are in sync, the primary's first."""
    primary = [shard["primary"]] if shard["primary"] else []
    return primary + shard["backups"]


class FaultTest(harness.SystemTest):
    nodes = 3
    replicas = 2

    def begin(self, nodes=None, width=MINUTE, settings=None, options=()):
        """Starts a cluster with windows of `width` ms, and a producer and one
        who asks, neither of which ever rests."""
        self.random = random.Random(SEED)
        self.cluster = self.start_cluster(
            nodes or self.nodes,
            {**SETTINGS, "rollup-every": f"{width}ms", **(settings or {})},
            OPTIONS,
        )
        self.await_whole()
        fixed = fixed_readings()
        text = "".join(harness.event(*x) for x in fixed)
        self.assert_done(self.cluster.ingest(text))
        self.producer = self.cluster.start_ingest(
            "--producer", "p", "--flush", *options, "-"
        )
        self.source = Source(self.producer, SEED, fixed, width)
        self.asker = Asker(self.cluster)
        self.addCleanup(self.asker.close)
        self.await_progress()
        say(f"{len(self.cluster.nodes)} nodes take readings")

    def start_cluster(self, *args):
        return self.start(*args)

    # -- what there is

    def node(self, name):
        (res,) = [x for x in self.cluster.nodes if x.name == name]
        return res

    def by_primaries(self):
        """The nodes that are up, the one with most primaries first."""
        up = [x for x in self.cluster.status()["nodes"] if x["state"] == "up"]
        up.sort(key=lambda x: -x["primaries"])
        return [self.node(x["name"]) for x in up]

    def busiest(self):
        return self.by_primaries()[0]

    def primaries(self):
        """{shard: node}"""
        shards = self.cluster.status()["shards"]
        return {x["shard"]: x["primary"] for x in shards}

    # -- waiting

    def look(self):
        """The status, or None while nobody gives it."""
        done = self.cluster.run("status", "--json")
        return done.row if done.code == 0 else None

    def missing(self, status, nodes):
        """What keeps a cluster of so many nodes from being whole."""
        if status is None:
            return ["no status"]
        up = [x["name"] for x in status["nodes"] if x["state"] == "up"]
        res = [] if len(up) >= nodes else [f"only {up} are up"]
        copies = min(self.replicas, nodes)
        for x in status["shards"]:
            if x["state"] != "serving" or len(set(copies_of(x)) & set(up)) < copies:
                res.append(
                    f"shard {x['shard']} is {x['state']} in epoch {x['epoch']} at "
                    f"{copies_of(x)}, wanted at {x['target']}: {x['trouble']}; "
                    f"its copies: {x['copies']}"
                )
        return res

    def await_whole(self, nodes=None, timeout=PATIENCE):
        """Until every shard is served with all its copies."""
        if nodes is None:
            nodes = len(self.cluster.nodes)
        seen = [None]

        def whole():
            seen[0] = self.missing(self.look(), nodes)
            return not seen[0]

        try:
            eventually("every shard has all its copies", whole, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen[0]}") from None

    def await_down(self, node):
        def down():
            states = {x["name"]: x["state"] for x in self.cluster.status()["nodes"]}
            return states[node.name] == "down"

        eventually(f"the coordinator takes {node.name} for dead", down)

    def balance(self, status, nodes):
        """Whether primaries and copies are within one of even."""
        up = [x for x in status["nodes"] if x["state"] == "up"]
        counts = [x["primaries"] for x in up]
        both = [x["primaries"] + x["backups"] for x in up]
        return len(up) == nodes and all(
            max(xs) - min(xs) <= 1 for xs in (counts, both)
        )

    def await_balance(self, nodes=None, timeout=2 * PATIENCE):
        """Whole, and no shard has anywhere to go; the status."""
        if nodes is None:
            nodes = len(self.cluster.nodes)
        seen = [None]

        def balanced():
            seen[0] = status = self.look()
            if status is None or self.missing(status, nodes):
                return None
            return status if self.balance(status, nodes) else None

        try:
            return eventually("the shards are spread evenly", balanced, timeout)
        except AssertionError as error:
            rows = seen[0] and [
                (x["name"], x["state"], x["primaries"], x["backups"])
                for x in seen[0]["nodes"]
            ]
            raise AssertionError(
                f"{error}: {rows}, {seen[0] and self.missing(seen[0], nodes)}"
            ) from None

    def accepted(self):
        return self.cluster.ledger()["accepted"]

    def await_progress(self, timeout=PATIENCE):
        """Until more readings are accepted than there are now."""
        before = self.accepted()

        def progress():
            self.assertTrue(self.producer.running, self.producer.output)
            return self.accepted() > before

        eventually("readings are accepted", progress, timeout)

    # -- faults

    def wipe(self, node):
        """Nothing remains of its disk."""
        shutil.rmtree(node.data)

    def rest(self, most):
        """A random moment of at most so many seconds."""
        self.source.over.wait(self.random.random() * most)

    # -- the comparison

    def end_ingest(self):
        """All was acknowledged, and each reading once."""
        self.asker.end()
        self.source.end()
        self.assertEqual(self.producer.wait(), 0, self.producer.output)
        summary = json.loads(self.producer.output.splitlines()[-1])
        want = {"received": self.source.written, "late": 0, "future": 0}
        want |= {"accepted": want["received"], "malformed": 0, "refused": 0}
        self.assertEqual({x: summary[x] for x in want}, want)

    def finish(self):
        """All there is to say about a run that went well."""
        self.end_ingest()
        say(f"{self.source.written} readings were sent; comparing")
        self.check()
        self.kill_all()
        self.await_whole()
        say("comparing what all have read from their disks")
        self.check()

    def kill_all(self):
        for server in self.cluster.servers:
            server.kill()
        self.launch_all()

    def launch_all(self):
        # At once: none of them can be ready without the coordinator.
        for server in self.cluster.servers:
            server.launch()
        for server in self.cluster.servers:
            server.wait_ready()

    def check(self, **counts):
        """`counts` are those of the ledger that would be zero."""
        oracle = self.source.oracle
        self.assert_ledger(self.cluster, accepted=oracle.count, **counts)
        self.assert_answers(self.cluster, oracle, oracle.questions(WIDTHS))
        self.check_windows()

    def check_windows(self):
        """Every window is final, and its totals are right."""
        source, seen = self.source, []

        def final():
            seen[:] = self.window_rows()
            return all(x["state"] == "final" for x in seen)

        try:
            eventually("all windows are final", final)
        except AssertionError as error:
            (first, *_) = [x for x in seen if x["state"] != "final"]
            why = self.cluster.run("window why", first["window_start_ms"])
            raise AssertionError(f"{error}: {first}\n{why.out}") from None
        self.assertEqual(totals(seen), source.windows)
        self.assertEqual(
            self.cluster.status()["rollup"],
            {"in_windows": source.oracle.count, "late": 0, "outside": 0, "refused": 0},
        )

    def window_rows(self, partial=False):
        """`partial`: also while some shards don't answer."""
        source = self.source
        bounds = ["--from", BASE]
        bounds += ["--to", max(end for _, end, _ in source.windows)]
        done = self.cluster.run("query windows", "--json", *bounds)
        return (done if partial else self.assert_done(done)).rows
