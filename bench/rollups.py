#!/usr/bin/env python3
"""What windows over all entities cost.

    bench/rollups.py --dir /var/tmp/bench --json results.json

Parts: `traffic`, the bytes that nodes send to the coordinator for a window,
seen by a relay between them; `queries`, a final window next to an empty round
trip, by the program bench-window_query (made with -DWEIR_BENCH=ON); `memory`,
the process that keeps windows over a million sensors of five metrics, without
sliding averages.
"""

import json
import pathlib
import socket
import subprocess
import sys
import threading
import time

import common  # First: it knows where the harness is.
import harness
from common import spread

PARTS = ["traffic", "queries", "memory"]
METRICS = 5
# 2023-11-14T22:00:00Z, in s: a bound of all windows here.
BASE = 1_699_999_200
WINDOWS = 10
# Sensors and samples whose memory is told.
MILLION = 1_000_000
MEMORY_OF = [
    (1_000, 4 * MILLION),
    (MILLION, MILLION),
    (MILLION, 4 * MILLION),
    (4 * MILLION, 4 * MILLION),
]
WINDOW = 60
# Header of a BASP message, whose bytes 4 to 8 are the payload's length.
HEADER = 32
PARTIALS = b"sealed_partials"


class Relay:
    """Passes on what nodes and coordinator send each other, and counts what
    goes to the coordinator: partials of windows, and all else."""

    def __init__(self, target):
        host, port = target.split(":")
        self.target = host, int(port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.lock = threading.Lock()
        self.partial_bytes = self.partials = self.other_bytes = 0
        self.begun = time.monotonic()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            node, _ = self.listener.accept()
            coordinator = socket.create_connection(self.target)
            for args in ((node, coordinator, self.count), (coordinator, node, None)):
                threading.Thread(target=self.pump, args=args, daemon=True).start()

    def pump(self, source, sink, count):
        pending = b""
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
                if count:
                    pending = count(pending + data)
        except OSError:
            pass
        for end in (source, sink):
            end.close()

    def count(self, data):
        """Takes whole messages from the front, and returns the rest."""
        at = 0
        while len(data) - at >= HEADER:
            size = HEADER + int.from_bytes(data[at + 4 : at + 8], "big")
            if len(data) - at < size:
                break
            with self.lock:
                if PARTIALS in data[at : at + size]:
                    self.partials += 1
                    self.partial_bytes += size
                else:
                    self.other_bytes += size
            at += size
        return data[at:]


def samples(sensors, window, repeats=1):
    """Each sensor so often in a window, METRICS integers each."""
    count = sensors * repeats
    for i in range(count):
        at = BASE + window * WINDOW + i * WINDOW // count
        data = ",".join(f'"m{m}":{i % 1000 + m}' for m in range(METRICS))
        sensor = f"sensor-{i % sensors:07}"
        yield f'{{"sensor_id":"{sensor}","timestamp":{at},"data":{{{data}}}}}\n'


def samples_file(directory, sensors, windows, repeats=1):
    path = pathlib.Path(directory) / f"samples-{sensors}-{windows}-{repeats}.ndjson"
    if not path.exists():
        with open(path, "w", encoding="ascii") as out:
            for window in range(windows):
                out.writelines(samples(sensors, window, repeats))
    return path


class RelayedCluster(harness.Cluster):
    """Its nodes reach the coordinator through a relay."""

    relay = None

    def add_node(self, *options):
        if self.relay is None:
            self.relay = Relay(self.head.address)
        return super().add_node("--join", self.relay.address, *options)

    def server(self, role, name, options):
        if role == "node":  # The harness's own --join comes first.
            options = options[2:]
        return super().server(role, name, options)


class Bench:
    def __init__(self, args):
        self.args = args
        self.results = {}

    def ingest(self, cluster, path, readings):
        done = cluster.ingest(path, "--flush")
        if done.code != 0 or done.row["accepted"] + done.row["late"] != readings:
            sys.exit(f"not all was taken: {done}")

    def wait_final(self, cluster, end):
        def final():
            row = cluster.run("window list", "--json").row
            return (row["final_through_ms"] or 0) >= end * 1_000

        harness.eventually("all windows are final", final, 600)

    # -- bytes to the coordinator -----------------------------------------------

    def traffic_of(self, nodes, sensors):
        settings = {"rollup-every": f"{WINDOW}s", "idle-after": "1h"}
        cluster = RelayedCluster(nodes, settings)
        try:
            relay = cluster.relay
            producer = cluster.start_ingest("-")
            pipe = producer.popen.stdin
            for window in range(WINDOWS + 1):
                pipe.writelines(x.encode() for x in samples(sensors, window))
                pipe.flush()
                # As in life, where one becomes final after the other.
                if window > 0:
                    self.wait_final(cluster, BASE + window * WINDOW)
            pipe.close()
            seconds = time.monotonic() - relay.begun
            return {
                "messages": relay.partials,
                "bytes_per_window": relay.partial_bytes / WINDOWS,
                "other_bytes_per_second": relay.other_bytes / seconds,
            }
        finally:
            cluster.close()

    def traffic(self):
        res = {}
        for nodes in (1, 3):
            for sensors in (10, 100_000):
                runs = [self.traffic_of(nodes, sensors) for _ in range(self.args.runs)]
                x = spread([y["bytes_per_window"] for y in runs], 1)
                res[f"{nodes}_nodes_{sensors}_sensors"] = {"runs": runs, "bytes": x}
                print(
                    f"{nodes} nodes, {sensors:>7} sensors: {x['median']:>8} bytes of "
                    f"totals a window ({x['min']} to {x['max']}), "
                    f"{runs[0]['messages'] / WINDOWS} messages; all else "
                    f"{runs[0]['other_bytes_per_second']:.0f} bytes a second"
                )
            few = res[f"{nodes}_nodes_10_sensors"]["bytes"]["median"]
            many = res[f"{nodes}_nodes_100000_sensors"]["bytes"]["median"]
            res[f"{nodes}_nodes_ratio"] = round(many / few, 3)
            print(f"{nodes} nodes: 100,000 sensors / 10 sensors = {many / few:.3f}")
        self.results["traffic"] = res

    # -- a final window, and an empty round trip ---------------------------------

    def queries(self):
        path = samples_file(self.args.dir, 1_000, WINDOWS)
        cluster = harness.Cluster(1, {"rollup-every": f"{WINDOW}s"})
        try:
            self.ingest(cluster, path, 1_000 * METRICS * WINDOWS)
            self.wait_final(cluster, BASE + WINDOWS * WINDOW)
            command = [self.args.query, cluster.join, str(BASE * 1_000)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        finally:
            cluster.close()
        pairs = [json.loads(x) for x in done.stdout.splitlines()]
        res = {
            "empty_p99_us": spread([x["empty"]["p99"] for x in pairs], 1),
            "window_p99_us": spread([x["window"]["p99"] for x in pairs], 1),
            "empty_p50_us": spread([x["empty"]["p50"] for x in pairs], 1),
            "window_p50_us": spread([x["window"]["p50"] for x in pairs], 1),
            "ratio_p99": spread([x["window"]["p99"] / x["empty"]["p99"] for x in pairs]),
        }
        self.results["queries"] = res
        for name, x in res.items():
            print(f"{name:<24}{x['median']:>10}  {x['min']} to {x['max']}")

    # -- memory --------------------------------------------------------------------

    def memory_of(self, sensors, samples_sent):
        path = samples_file(self.args.dir, sensors, 1, samples_sent // sensors)
        settings = {"rollup-every": f"{WINDOW}s", "sliding": "off"}
        cluster = harness.Cluster(0, settings)
        try:
            process = cluster.head.process
            before = process.memory_bytes()
            self.ingest(cluster, path, samples_sent * METRICS)
            after = process.memory_bytes()
            self.wait_final(cluster, BASE + WINDOW)
            entities = sum(x["entities"] for x in cluster.status()["shards"])
        finally:
            cluster.close()
        return before, after, entities

    def memory(self):
        """By sensors and samples: it grows with neither."""
        res = {}
        for sensors, count in MEMORY_OF:
            runs = [self.memory_of(sensors, count) for _ in range(self.args.runs)]
            x = res[f"{sensors}_sensors_{count}_samples"] = {
                "before_mib": spread([y / 2**20 for y, _, _ in runs], 1),
                "after_mib": spread([y / 2**20 for _, y, _ in runs], 1),
                "entities_held": runs[0][2],
            }
            after = x["after_mib"]
            print(
                f"{sensors:>7} sensors, {count} samples of {METRICS} metrics: "
                f"{after['median']} MiB ({after['min']} to {after['max']}), before "
                f"{x['before_mib']['median']}; {x['entities_held']} entities held"
            )
        self.results["memory"] = res


def main():
    options = common.parser(__doc__, PARTS)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument(
        "--query", default=common.ROOT / "build" / "bench" / "bench-window_query"
    )
    common.run(Bench, options, PARTS)


if __name__ == "__main__":
    main()
