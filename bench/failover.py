#!/usr/bin/env python3
"""What the loss of a node, a move of a shard, and copies cost.

    bench/failover.py --dir /var/tmp/bench --json results.json

Parts:
`failover`  from kill -9 of a primary's node to the end of a `weir ingest` that
            was given one reading of one of its shards in that moment. It ends
            when that is acknowledged; the same without a kill stands beside it.
`moves`     the longest that a producer of 100,000 readings a second waits for
            an acknowledgement of a shard whose primary goes to a new node, next
            to the same of those that stay.
`upgrade`   the same, while every node in turn is stopped and started.
`join`      bytes that a new node receives while nobody sends readings, next to
            the size of its files; and copies made next to the least.
`copies`    throughput with two copies and with one, in pairs.
"""

import json
import math
import pathlib
import re
import subprocess
import sys
import threading
import time

import common  # First: it knows where the harness is.
import faults
import harness
from common import spread

PARTS = ["failover", "moves", "upgrade", "join", "copies"]
SHARDS = 32
RATE = 100_000
# A write of the paced producer, in readings.
WRITE = 1_000
JOINS = 4
# Seconds that a producer runs before the node comes.
CALM = 2.0


def show(what, unit, x):
    print(
        f"{what:<44}{x['median']:>12} {unit:<11}{x['min']} to {x['max']}, "
        f"{x['runs']} runs",
        flush=True,
    )


def whole(status, nodes, copies=2):
    """Every shard has its copies, and is where it shall be."""
    up = [x for x in status["nodes"] if x["state"] == "up"]
    counts = [x["primaries"] for x in up]
    return (
        len(up) == nodes
        and max(counts) - min(counts) <= 1
        and all(
            x["state"] == "serving" and len(x["backups"]) == copies - 1
            for x in status["shards"]
        )
    )


def await_whole(cluster, nodes, copies=2):
    harness.eventually(
        "every shard is in its place",
        lambda: whole(cluster.status(), nodes, copies),
        3 * harness.PATIENCE,
    )


def entity_of_each_shard(cluster):
    """{shard: an entity of it}"""
    names = [f"e{i}" for i in range(40 * SHARDS)]
    rows = cluster.ask([{"entity": x, "at": faults.BASE} for x in names]).rows
    res = {}
    for name, row in zip(names, rows):
        res.setdefault(row["shard"], name)
    if len(res) != SHARDS:
        sys.exit(f"only {len(res)} shards have an entity")
    return res


def only_acknowledged(cluster, line, before_it):
    """Seconds from before_it() to the end of an ingest of that line, which was
    connected before. What before_it() takes counts."""
    producer = cluster.start_ingest("-")
    first = cluster.ledger()["accepted"]
    producer.popen.stdin.write(line)
    producer.popen.stdin.flush()
    harness.eventually(
        "the producer is connected", lambda: cluster.ledger()["accepted"] > first
    )
    begun = time.monotonic()
    before_it()
    producer.popen.stdin.write(line)
    producer.popen.stdin.close()
    if producer.wait() != 0:
        sys.exit(producer.output)
    res = time.monotonic() - begun
    cluster.clients.remove(producer)
    return res


class Bench:
    def __init__(self, args):
        self.args = args
        self.results = {}

    def put(self, part, what, unit, xs, digits=3):
        x = spread(xs, digits)
        self.results.setdefault(part, {})[what] = {**x, "unit": unit}
        show(f"{part}: {what}", unit, x)

    def input_file(self, events, entities):
        path = pathlib.Path(self.args.dir) / f"failover-{events}-{entities}.ndjson"
        if not path.exists():
            part = path.with_suffix(".part")
            done = harness.weir(
                *["generate", "--output", part, "--seed", 1],
                *["--events", events, "--entities", entities],
                *["--rate", RATE, "--start", "now-10m"],
            )
            if done.code != 0:
                sys.exit(repr(done))
            part.rename(path)
        return path

    # -- failover ---------------------------------------------------------------

    def failover(self):
        cluster = harness.Cluster(3)
        killed, calm = [], []
        try:
            await_whole(cluster, 3)
            entities = entity_of_each_shard(cluster)
            for i in range(self.args.rounds):
                shards = cluster.status()["shards"]
                shard = shards[7 * i % SHARDS]
                entity = entities[shard["shard"]]
                line = harness.event(entity, faults.BASE, 1).encode()
                (node,) = [x for x in cluster.nodes if x.name == shard["primary"]]
                calm.append(only_acknowledged(cluster, line, lambda: None))
                killed.append(
                    only_acknowledged(cluster, line, node.process.popen.kill)
                )
                node.kill()
                node.start()
                await_whole(cluster, 3)
        finally:
            cluster.close()
        self.put("failover", "kill -9 to acknowledgement", "s", killed)
        self.put("failover", "the same without a kill", "s", calm)

    # -- moves ------------------------------------------------------------------

    def moves(self):
        path = self.input_file(self.args.seconds * RATE, 10 * SHARDS)
        cluster = harness.Cluster(
            3, {"retention": "2h", "window": "1h", "cells-max": 4096}
        )
        moved, stayed, pace = [], [], []
        try:
            await_whole(cluster, 3)
            for i in range(JOINS):
                self.watch_join(cluster, 4 + i, path, moved, stayed, pace)
        finally:
            cluster.close()
        self.put("moves", "longest wait at a shard that moves", "ms", moved, 0)
        self.put("moves", "longest wait at a shard that stays", "ms", stayed, 0)
        self.put("moves", "the producer's pace", "1000/s", pace, 1)

    def watch_join(self, cluster, nodes, path, moved, stayed, pace):
        before = {x["shard"]: x["primary"] for x in cluster.status()["shards"]}

        def join():
            cluster.add_node()
            await_whole(cluster, nodes)

        waits = self.waits_during(cluster, path, join, pace)
        for x in cluster.status()["shards"]:
            shard = x["shard"]
            (moved if x["primary"] != before[shard] else stayed).append(waits[shard])

    def upgrade(self):
        path = self.input_file(self.args.seconds * RATE, 10 * SHARDS)
        cluster = harness.Cluster(
            3, {"retention": "2h", "window": "1h", "cells-max": 4096}
        )
        waits, pace = [], []

        def restart_all():
            for node in cluster.nodes:
                node.stop()
                node.start()
                await_whole(cluster, 3)

        try:
            await_whole(cluster, 3)
            waits = self.waits_during(cluster, path, restart_all, pace)
        finally:
            cluster.close()
        self.put("upgrade", "longest wait at a shard", "ms", waits, 0)
        self.put("upgrade", "the producer's pace", "1000/s", pace, 1)

    def waits_during(self, cluster, path, change, pace):
        """By shard: the longest that a producer waited there, ms."""
        producer = cluster.start_ingest("-")
        over = threading.Event()
        writer = threading.Thread(
            target=self.write_paced, args=(producer, path, over, pace), daemon=True
        )
        writer.start()
        try:
            time.sleep(CALM)
            change()
        finally:
            over.set()
            writer.join()
        producer.popen.stdin.close()
        if producer.wait() != 0:
            sys.exit(producer.output)
        cluster.clients.remove(producer)
        return json.loads(producer.output.splitlines()[-1])["waits_ms"]

    def write_paced(self, producer, path, over, pace):
        sent = 0
        begun = time.monotonic()
        with open(path, "rb") as file:
            while not over.is_set():
                lines = [file.readline() for _ in range(WRITE)]
                if not lines[-1]:
                    break
                try:
                    producer.popen.stdin.write(b"".join(lines))
                    producer.popen.stdin.flush()
                except BrokenPipeError:
                    break
                sent += WRITE
                over.wait(max(0, begun + sent / RATE - time.monotonic()))
        pace.append(sent / (time.monotonic() - begun) / 1e3)

    # -- a join -----------------------------------------------------------------

    def join(self):
        path = self.input_file(1_000_000, 20_000)
        ratios, copies, megabytes = [], [], []
        for _ in range(self.args.runs):
            cluster = harness.Cluster(3)
            try:
                await_whole(cluster, 3)
                done = cluster.ingest(path)
                if done.code != 0:
                    sys.exit(repr(done))
                before = cluster.status()
                node = cluster.add_node()
                await_whole(cluster, 4)
                received = self.received_bytes(node)
                held = {x["shard"]: {x["primary"], *x["backups"]} for x in before["shards"]}
                came = sum(
                    len({x["primary"], *x["backups"]} - held[x["shard"]])
                    for x in cluster.status()["shards"]
                )
                copies.append(came / math.ceil(2 * SHARDS / 4))
                node.stop()
                files = sum(x.stat().st_size for x in node.data.rglob("*") if x.is_file())
                megabytes.append(received / 1e6)
                ratios.append(received / files)
            finally:
                cluster.close()
        self.put("join", "copies made / least copies", "", copies, 2)
        self.put("join", "megabytes received", "MB", megabytes, 1)
        self.put("join", "bytes received / bytes of its files", "", ratios, 2)

    def received_bytes(self, node):
        """Of all its connections, as the kernel counts."""
        out = subprocess.run(
            ["ss", "-tinpH", "state", "established"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        pid = f"pid={node.process.popen.pid},"
        res, ours = 0, False
        for line in out.splitlines():
            if not line.startswith((" ", "\t")):
                ours = pid in line
            elif ours:
                res += sum(map(int, re.findall(r"bytes_received:(\d+)", line)))
        return res

    # -- copies -----------------------------------------------------------------

    def copies(self):
        path = self.input_file(2_000_000, 100_000)
        seconds = {1: [], 2: []}
        for _ in range(self.args.runs):
            for copies, xs in seconds.items():
                xs.append(self.ingest_with(copies, path))
        self.put("copies", "one copy", "s", seconds[1])
        self.put("copies", "two copies", "s", seconds[2])
        ratios = [x / y for x, y in zip(seconds[1], seconds[2])]
        self.put("copies", "speed with two / speed with one", "", ratios, 2)

    def ingest_with(self, copies, path):
        cluster = harness.Cluster(3, {"replicas": copies})
        try:
            await_whole(cluster, 3, copies)
            done = cluster.ingest(path)
            if done.code != 0 or done.row["copies"] != copies:
                sys.exit(repr(done))
            return done.row["seconds"]
        finally:
            cluster.close()


def main():
    options = common.parser(__doc__, PARTS)
    options.add_argument("--rounds", type=int, default=20, help="kills")
    options.add_argument("--runs", type=int, default=5, help="joins and pairs")
    options.add_argument(
        "--seconds", type=int, default=60, help="most that moves may take"
    )
    common.run(Bench, options, PARTS)


if __name__ == "__main__":
    main()
