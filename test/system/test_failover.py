"""Nodes die, with and without their disks, under constant ingest: their shards
go on at other nodes, nothing acknowledged is lost, and nothing counts twice.

WEIR_ROUNDS sets how often the busiest node is killed.
"""

import os
import unittest

import faults
from faults import FAILURE_TIMEOUT, eventually, say

ROUNDS = int(os.environ.get("WEIR_ROUNDS", "4"))
# Of windows that are sealed and become final all the time.
SHORT = 200


def setUpModule():
    faults.print_seed()


class FailoverTest(faults.FaultTest):
    def round(self, wipe):
        """The busiest node dies, is missed by nobody, and comes back."""
        victim = self.busiest()
        victim.kill()
        self.await_down(victim)
        self.await_progress()
        say(f"{victim.name} was killed, and readings are accepted")
        if wipe:
            self.wipe(victim)
        victim.start()
        self.await_whole()
        say(f"{victim.name} is back{' with an empty disk' * wipe}, all is whole")
        self.await_progress()

    def test_the_busiest_node_is_killed_again_and_again(self):
        self.begin()
        for i in range(ROUNDS):
            self.round(wipe=i % 2 == 1)
        self.finish()

    def test_a_node_dies_again_while_it_catches_up(self):
        self.begin()
        victim = self.busiest()
        for _ in range(4):
            victim.kill()
            self.rest(0.5)
            victim.launch()
            self.rest(0.5)
        victim.kill()
        victim.start()
        self.await_whole()
        self.finish()

    def test_a_frozen_primary_is_replaced_and_becomes_a_copy(self):
        self.begin()
        for _ in range(2):
            victim = self.busiest()
            led = {s for s, n in self.primaries().items() if n == victim.name}
            victim.pause()
            self.await_down(victim)
            self.await_progress()
            say(f"{victim.name} is frozen, and readings are accepted")
            now = self.primaries()
            self.assertEqual([s for s in led if now[s] == victim.name], [])
            victim.resume()
            self.await_whole()
            say(f"{victim.name} goes on, and all is whole")
        self.finish()

    def test_a_short_freeze_changes_no_shard(self):
        self.begin()
        victim = self.busiest()
        before = self.await_balance()["shards"]
        victim.pause()
        self.source.over.wait(FAILURE_TIMEOUT / 4)
        victim.resume()
        self.await_progress()
        after = self.cluster.status()["shards"]
        for x, y in zip(before, after):
            self.assertEqual((x["epoch"], x["primary"]), (y["epoch"], y["primary"]))
        self.finish()

    def test_all_processes_are_killed_at_once(self):
        self.begin()
        for _ in range(3):
            self.kill_all()
            self.await_whole()
            self.await_progress()
            say("all were killed, and all is whole")
            self.rest(0.5)
        self.finish()

    def test_three_copies_survive_two_nodes(self):
        self.replicas = 3
        self.begin(settings={"replicas": 3})
        first, second, third = self.by_primaries()
        first.kill()
        second.kill()
        self.wipe(first)
        self.wipe(second)
        self.await_down(first)
        self.await_down(second)
        self.await_progress()
        say(f"{third.name} alone has every shard")
        first.start()
        second.start()
        self.await_whole()
        self.finish()

    def test_a_shard_without_a_copy_waits_and_says_for_whom(self):
        self.begin()
        status = self.await_balance()
        both = faults.copies_of(status["shards"][0])
        one, other = map(self.node, both)
        one.kill()
        other.kill()
        self.await_down(one)
        self.await_down(other)

        def unavailable():
            shard = self.cluster.status()["shards"][0]
            return shard if shard["state"] == "unavailable" else None

        shard = eventually("the shard says that it is unavailable", unavailable)
        for name in both:
            self.assertIn(name, shard["trouble"])
        say(f"shard 0: {shard['trouble']}")
        one.start()
        other.start()
        self.await_whole()
        self.finish()


class CoordinatorTest(faults.FaultTest):
    def test_it_dies_together_with_a_node(self):
        self.begin()
        for i in range(3):
            victim = self.busiest()
            # The node first, or the coordinator, or both in one moment.
            order = [self.cluster.head, victim]
            if i % 2 == 0:
                order.reverse()
            for server in order:
                server.kill()
            self.rest(0.5)
            self.cluster.head.start()
            self.await_progress()
            say(f"{victim.name} and the coordinator died; readings are accepted")
            if i == 1:
                self.wipe(victim)
            victim.start()
            self.await_whole()
        self.finish()

    def test_it_dies_in_the_middle_of_a_failover(self):
        self.begin()
        for _ in range(4):
            victim = self.busiest()
            log = self.cluster.head.process
            victim.kill()
            gone = f"node {victim.name} is gone"
            eventually("it has noticed", lambda: gone in log.output)
            self.rest(0.05)
            self.cluster.head.kill()
            moved = log.output.split(gone)[1].count(" goes from ")
            say(f"the coordinator died after {moved} shards of a failover")
            self.cluster.head.start()
            self.await_progress()
            victim.start()
            self.await_whole()
        self.finish()

    def test_without_it_nothing_stops(self):
        self.begin()
        self.await_balance()
        self.cluster.head.kill()
        # Half a minute of event time, all of it acknowledged: what is under way
        # at a time is far less.
        begun = self.source.written
        eventually(
            "the producer goes on",
            lambda: self.source.written > begun + 30_000,
        )
        answers = self.asker.answers
        eventually("answers go on", lambda: self.asker.answers > answers + 20)
        self.cluster.head.start()
        self.await_whole()
        self.finish()

    def test_it_dies_while_windows_are_sealed(self):
        # Producers come back within a heartbeat or two; until they have had the
        # time for it, no window is sealed.
        self.begin(width=SHORT, settings={"idle-after": "3s"})
        for i in range(5):
            before = self.watermark()
            eventually("windows are sealed", lambda: self.watermark() > before)
            self.rest(0.3)
            self.cluster.head.kill()
            node = self.random.choice(self.cluster.nodes)
            if i % 2 == 0:
                # It joins when the coordinator is back.
                node.kill()
                node.launch()
            self.cluster.head.start()
            node.wait_ready()
            say(f"the coordinator died with a watermark past {before}")
        self.await_whole()
        self.finish()

    def watermark(self):
        return self.cluster.status()["watermark_ms"] or 0


if __name__ == "__main__":
    unittest.main()
