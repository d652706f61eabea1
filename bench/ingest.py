#!/usr/bin/env python3
"""Speed and cost of a whole cluster, next to a loop on one thread.

    bench/ingest.py --dir /var/tmp/bench --json results.json

Ratios are of runs side by side, and every figure is the median of --runs, with
the least and the greatest. Needs build/weir and the program bench-loop, made
with -DWEIR_BENCH=ON. Data of the clusters go to --dir, which should be on the
disk that is meant.
"""

import json
import math
import os
import pathlib
import platform
import random
import subprocess
import sys
import tempfile
import time

import common  # First: it knows where the harness is.
import harness
from common import spread

# Questions of one measurement: the 99th of a hundred is seen twenty times.
QUESTIONS = 2000
# Entities whose averages must be those of the loop.
ENTITIES_COMPARED = 50
TICKS = os.sysconf("SC_CLK_TCK")
PARTS = ["pairs", "nodes", "durability", "queries"]


def show(what, unit, x):
    print(f"{what:<36}{x['median']:>12} {unit:<11}{x['min']} to {x['max']}")


def percentiles(micros):
    xs = sorted(micros)
    at = lambda share: round(xs[min(len(xs) - 1, int(share * len(xs)))], 1)
    return {"p50": at(0.5), "p99": at(0.99), "max": at(1), "questions": len(xs)}


class Finished:
    """A command that has ended, and what it cost."""

    def __init__(self, *command):
        start = time.monotonic()
        with tempfile.TemporaryFile() as out:
            child = subprocess.Popen(
                list(map(str, command)),
                env=harness.ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=out,
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            self.seconds = time.monotonic() - start
            if child.returncode != 0:
                sys.exit(f"{command} left {child.returncode}")
            out.seek(0)
            self.rows = [json.loads(line) for line in out]
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory_bytes = usage.ru_maxrss * 1024


def cpu_seconds(server):
    with open(f"/proc/{server.process.popen.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Asker:
    """One `weir query average` that answers question by question."""

    def __init__(self, cluster):
        self.process = subprocess.Popen(
            [harness.WEIR, "query", "average", "--join", cluster.join]
            + ["--from", "-", "--json"],
            env=harness.ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def ask(self, line):
        """The answer, and microseconds until it was there."""
        start = time.perf_counter()
        self.process.stdin.write(line)
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        micros = (time.perf_counter() - start) * 1e6
        return json.loads(answer), micros


class Bench:
    def __init__(self, args):
        self.args = args
        self.path = self.input_file()
        self.results = {}
        self.machine()

    def input_file(self):
        args = self.args
        name = f"events-{args.events}-{args.entities}.ndjson"
        path = pathlib.Path(args.dir) / name
        if not path.exists():
            part = path.with_suffix(".part")
            Finished(
                *[harness.WEIR, "generate", "--output", part],
                *["--events", args.events, "--entities", args.entities],
                *["--zipf", "1.0", "--disorder", "1s"],
                *["--rate", "100000", "--start", "now-10m"],
            )
            part.rename(path)
        # The first run should find it in the page cache, as all others do.
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass
        return path

    def ingest(self, cluster):
        done = Finished(
            *[harness.WEIR, "ingest", "--join", cluster.join, "--json"], self.path
        )
        (row,) = done.rows
        if row["accepted"] != self.args.events:
            sys.exit(f"not all events were accepted: {row}")
        return done

    def cluster(self, nodes=1, **settings):
        return harness.Cluster(nodes, settings)

    def measured(self, nodes=1, **settings):
        """Ingests into a fresh cluster; seconds and what it cost."""
        cluster = self.cluster(nodes, **settings)
        try:
            memory = sum(x.process.memory_bytes() for x in cluster.nodes)
            before = [cpu_seconds(x) for x in cluster.servers]
            done = self.ingest(cluster)
            after = [cpu_seconds(x) for x in cluster.servers]
            memory = sum(x.process.memory_bytes() for x in cluster.nodes) - memory
            entities = sum(x["entities"] for x in cluster.status()["nodes"])
            used = [y - x for x, y in zip(before, after)]
            millions = self.args.events / 1e6
            return cluster, {
                "seconds": done.seconds,
                "events_per_second": self.args.events / done.seconds,
                "node_memory": memory,
                "bytes_per_entity": memory / entities,
                "ingest_memory": done.memory_bytes,
                "cpu_coordinator": used[0] / millions,
                "cpu_nodes": sum(used[1:]) / millions,
                "cpu_ingest": done.cpu / millions,
                "cpu": (done.cpu + sum(used)) / millions,
            }
        except BaseException:
            cluster.close()
            raise

    def run_once(self, nodes=1, **settings):
        cluster, res = self.measured(nodes, **settings)
        cluster.close()
        return res

    # -- ingest against the loop ---------------------------------------------

    def entities_to_compare(self):
        with open(self.path, "rb") as file:
            file.seek(-200 * ENTITIES_COMPARED, os.SEEK_END)
            lines = file.read().splitlines()[1:]
        return sorted({json.loads(x)["entity"] for x in lines})[:ENTITIES_COMPARED]

    def compare(self, cluster, loop):
        """Fails if cluster and loop have not counted the same."""
        exact = 0
        questions = [{"entity": x["entity"], "at": loop["at"]} for x in loop["answers"]]
        for ours, theirs in zip(cluster.ask(questions).rows, loop["answers"]):
            if not (ours["exact"] and theirs["exact"]):
                continue
            exact += 1
            if ours["count"] != theirs["count"] or not math.isclose(
                ours["average"], theirs["average"], rel_tol=1e-12
            ):
                sys.exit(f"the cluster says {ours}, the loop {theirs}")
        if exact == 0:
            sys.exit("no exact average could be compared")

    def pairs(self):
        entities = self.entities_to_compare()
        runs, loops = [], {"plain": [], "batched": []}
        for _ in range(self.args.runs):
            cluster, run = self.measured()
            try:
                rows = Finished(self.args.loop, self.path, *entities).rows
                for row in rows:
                    self.compare(cluster, row)
                    loops[row["way"]].append(row["seconds"])
            finally:
                cluster.close()
            runs.append(run)
        res = {
            "ingest_seconds": spread([x["seconds"] for x in runs]),
            "ingest_events_per_second": spread(
                [x["events_per_second"] for x in runs], 0
            ),
            "node_memory_mib": spread([x["node_memory"] / 2**20 for x in runs], 1),
            "node_bytes_per_entity": spread([x["bytes_per_entity"] for x in runs], 0),
            "ingest_memory_mib": spread([x["ingest_memory"] / 2**20 for x in runs], 1),
        }
        for way, seconds in loops.items():
            ratios = [x / y["seconds"] for x, y in zip(seconds, runs)]
            res[f"loop_{way}_seconds"] = spread(seconds)
            res[f"ratio_{way}"] = spread(ratios)
            res[f"ratio_{way}"]["pairs"] = [round(x, 3) for x in ratios]
        self.results["pairs"] = res
        for what, unit in [
            ("ingest_seconds", "s"),
            ("ingest_events_per_second", "/s"),
            ("loop_plain_seconds", "s"),
            ("loop_batched_seconds", "s"),
            ("ratio_plain", "x loop"),
            ("ratio_batched", "x loop"),
            ("node_memory_mib", "MiB"),
            ("node_bytes_per_entity", "bytes"),
            ("ingest_memory_mib", "MiB"),
        ]:
            show(what.replace("_", " "), unit, res[what])

    # -- processor time by number of nodes ------------------------------------

    def nodes(self):
        runs = {1: [], 2: [], 3: []}
        for _ in range(self.args.runs):
            for n, xs in runs.items():
                xs.append(self.run_once(n))
        self.results["nodes"] = {}
        for n, xs in runs.items():
            res = {
                name: spread([x[name] for x in xs])
                for name in ["cpu_nodes", "cpu_coordinator", "cpu_ingest", "cpu"]
            }
            res["seconds"] = spread([x["seconds"] for x in xs])
            self.results["nodes"][str(n)] = res
            show(f"{n} nodes: wall", "s", res["seconds"])
            for name in ["nodes", "coordinator", "ingest"]:
                show(f"{n} nodes: CPU of {name}", "s/million", res[f"cpu_{name}"])
            show(f"{n} nodes: CPU in all", "s/million", res["cpu"])

    # -- durability -----------------------------------------------------------

    def durability(self):
        runs = {"power": [], "process": []}
        for _ in range(self.args.runs):
            for mode, xs in runs.items():
                xs.append(self.run_once(durability=mode)["seconds"])
        res = {mode: spread(xs) for mode, xs in runs.items()}
        ratios = [y / x for x, y in zip(runs["power"], runs["process"])]
        res["ratio"] = spread(ratios)
        self.results["durability"] = res
        for mode in runs:
            show(f"durability {mode}: wall", "s", res[mode])
        show("speed of power / speed of process", "", res["ratio"])

    # -- questions --------------------------------------------------------------

    def first_question(self):
        with open(self.path, "rb") as file:
            entity = json.loads(file.readline())["entity"]
        return json.dumps({"entity": entity}).encode() + b"\n"

    def random_question(self):
        entity = f"sensor-{random.randrange(self.args.entities):07}"
        return json.dumps({"entity": entity}).encode() + b"\n"

    def asked_when_idle(self):
        cluster, _ = self.measured()
        try:
            with Asker(cluster) as asker:
                asker.ask(self.random_question())  # Connects.
                # Refused by the process itself: pipes and printing alone.
                empty = [asker.ask(b"{}\n")[1] for _ in range(QUESTIONS)]
                idle = []
                for _ in range(QUESTIONS):
                    answer, micros = asker.ask(self.random_question())
                    if "error" in answer:
                        sys.exit(f"no answer: {answer}")
                    idle.append(micros)
            return empty, idle
        finally:
            cluster.close()

    def asked_under_load(self):
        cluster = self.cluster()
        try:
            with Asker(cluster) as asker:
                load = cluster.start_ingest("--quiet", self.path, stdin=subprocess.DEVNULL)
                while not asker.ask(self.first_question())[0].get("found"):
                    if not load.running:
                        sys.exit("the load was over at once")
                micros = []
                while load.running:
                    answer, elapsed = asker.ask(self.random_question())
                    if "error" in answer:
                        sys.exit(f"no answer: {answer}")
                    micros.append(elapsed)
                return micros
        finally:
            cluster.close()

    def queries(self):
        empty, idle, loaded = [], [], []
        for _ in range(self.args.runs):
            fast, slow = self.asked_when_idle()
            empty += fast
            idle += slow
            loaded += self.asked_under_load()
        res = {
            "empty_us": percentiles(empty),
            "idle_us": percentiles(idle),
            "under_ingest_us": percentiles(loaded),
        }
        self.results["queries"] = res
        for what, x in res.items():
            print(
                f"query, {what.replace('_', ' '):<29}{x['p50']:>12} p50, "
                f"{x['p99']} p99, {x['max']} at most, of {x['questions']}"
            )

    def machine(self):
        self.results["machine"] = {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "load_1min": round(os.getloadavg()[0], 2),
            "events": self.args.events,
            "entities": self.args.entities,
            "runs": self.args.runs,
        }
        print(", ".join(f"{k} {v}" for k, v in self.results["machine"].items()))


def main():
    options = common.parser(__doc__, PARTS)
    options.add_argument("--events", type=int, default=10_000_000)
    options.add_argument("--entities", type=int, default=100_000)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument(
        "--loop", default=common.ROOT / "build" / "bench" / "bench-loop"
    )
    common.run(Bench, options, PARTS)


if __name__ == "__main__":
    main()
