"""Nodes come and go under constant ingest: as few shards move as can be, and
whoever dies in the middle of a move, nothing is lost and nothing counts twice.
"""

import math
import unittest

import faults
import harness
from faults import Watcher, copies_of, eventually, say


def setUpModule():
    faults.print_seed()


class Moves:
    """What changed places since `status`, as seen in between."""

    def __init__(self, status):
        self.primaries = {x["shard"]: x["primary"] for x in status["shards"]}
        self.copies = {x["shard"]: set(copies_of(x)) for x in status["shards"]}
        self.now = dict(self.primaries)
        # (shard, from, to) of primaries, in turn.
        self.handed = []
        # (shard, node) of copies that came.
        self.came = set()

    def look(self, status):
        for x in status["shards"]:
            shard, primary = x["shard"], x["primary"]
            if primary and primary != self.now[shard]:
                self.handed.append((shard, self.now[shard], primary))
                self.now[shard] = primary
            for node in set(copies_of(x)) - self.copies[shard]:
                self.came.add((shard, node))


class MigrationTest(faults.FaultTest):
    def watched(self, change, nodes):
        """Makes the change, and waits until all is in its place again."""
        moves = Moves(self.await_balance())
        watcher = Watcher(self.cluster, moves.look)
        try:
            change()
            moves.look(self.await_balance(nodes))
        finally:
            watcher.end()
        say(f"{len(moves.handed)} primaries and {len(moves.came)} copies moved")
        return moves

    def join(self):
        node = self.cluster.add_node()
        self.await_progress()
        return node

    def assert_least_for_join(self, moves, nodes):
        """Of a join by which there are so many nodes."""
        shards = len(moves.primaries)
        new = f"n{nodes}"
        self.assertLessEqual(len(moves.handed), math.ceil(shards / nodes))
        self.assertEqual([x for x in moves.handed if x[2] != new], [])
        self.assertLessEqual(
            len(moves.came), math.ceil(shards * self.replicas / nodes)
        )
        self.assertEqual([x for x in moves.came if x[1] != new], [])

    def test_a_fourth_and_a_fifth_node_get_their_share_and_no_more(self):
        self.begin()
        for nodes in (4, 5):
            moves = self.watched(self.join, nodes)
            self.assert_least_for_join(moves, nodes)
        self.finish()

    # -- deaths in the middle

    def add_and_wait(self, least):
        """A node that has so many copies, and gets more."""
        node = self.cluster.server(
            "node",
            f"n{len(self.cluster.nodes) + 1}",
            ["--join", self.cluster.join, "--name", f"n{len(self.cluster.nodes) + 1}"]
            + self.cluster.node_options,
        )
        self.cluster.nodes.append(node)
        node.start()

        def has_some():
            (x,) = [
                x for x in self.cluster.status()["nodes"] if x["name"] == node.name
            ]
            return x["primaries"] + x["backups"] >= least

        eventually(f"{node.name} gets copies", has_some)
        return node

    def in_the_middle(self, servers, wipe=False):
        """All of the servers, which may depend on the node that joins, die
        while it does; and come back."""
        self.begin()
        self.await_balance()
        target = self.add_and_wait(self.random.randrange(1, 10))
        victims = servers(target)
        for x in victims:
            x.kill()
        say(f"{', '.join(x.name for x in victims)} died in the middle of a move")
        self.rest(1)
        if wipe:
            for x in victims:
                self.wipe(x)
        for x in victims:
            x.launch()
        for x in victims:
            x.wait_ready()
        self.await_progress()
        self.await_balance()
        say("all is in its place")
        self.finish()

    def test_the_target_of_a_move_dies(self):
        self.in_the_middle(lambda target: [target])

    def test_the_target_of_a_move_dies_with_its_disk(self):
        self.in_the_middle(lambda target: [target], wipe=True)

    def test_the_source_of_a_move_dies(self):
        self.in_the_middle(lambda target: [self.busiest()])

    def test_the_source_of_a_move_dies_with_its_disk(self):
        self.in_the_middle(lambda target: [self.busiest()], wipe=True)

    def test_source_and_target_of_a_move_die(self):
        self.in_the_middle(lambda target: [target, self.busiest()])

    def test_the_coordinator_dies_during_a_move(self):
        self.in_the_middle(lambda target: [self.cluster.head])

    def test_coordinator_and_target_die_during_a_move(self):
        self.in_the_middle(lambda target: [self.cluster.head, target])

    # -- leaving

    def test_a_drained_node_has_nothing_and_may_stop(self):
        if harness.weir("drain", "--help").code != 0:
            self.skipTest("there is no command `weir drain`")
        self.begin(nodes=4)
        leaver = self.busiest()
        before = Moves(self.await_balance())
        watcher = Watcher(self.cluster, before.look)
        try:
            self.assert_done(self.cluster.run("drain", leaver.name))

            def empty():
                (x,) = [
                    x
                    for x in self.cluster.status()["nodes"]
                    if x["name"] == leaver.name
                ]
                return x["primaries"] + x["backups"] == 0

            eventually("the node is empty", empty)
        finally:
            watcher.end()
        # Nothing but what was there goes anywhere.
        had = {s for s, xs in before.copies.items() if leaver.name in xs}
        self.assertEqual({s for s, _ in before.came} - had, set())
        self.assertEqual(leaver.stop(), 0, leaver.process.output)
        self.cluster.nodes.remove(leaver)
        self.await_whole()
        self.finish()


if __name__ == "__main__":
    unittest.main()
