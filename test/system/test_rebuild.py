"""The coordinator's directory is lost, and made anew out of what the nodes have
copied of it, under constant ingest: nothing acknowledged is lost, nothing counts
twice, and what was final stays as it was.
"""

import shutil
import unittest

import faults
import harness
from faults import eventually, say

FAILED, UNREACHABLE = 1, 4
# Of windows that are sealed and become final all the time.
SHORT = 200
# Producers come back within a heartbeat or two; until they have had the time for
# it, no window is sealed.
PATIENT = {"idle-after": "3s"}


def setUpModule():
    faults.print_seed()


class RebuildTest(faults.FaultTest):
    def begin_with_finals(self):
        """A cluster with windows that are final, and settings of a later
        version."""
        self.begin(width=SHORT, settings=PATIENT)
        self.assert_done(self.cluster.run("config set", "rollup-keep=300d"))
        eventually("windows are final", lambda: len(self.finals()) >= 20)

    def finals(self, partial=False):
        """{start: row} of windows that never change."""
        return {
            x["window_start_ms"]: x
            for x in self.window_rows(partial)
            if x["state"] == "final"
        }

    def assert_same_finals(self, before):
        """Those that no copy had yet are made again of what shards have kept."""

        def again():
            rows = self.finals(partial=True)
            return before.keys() <= rows.keys() and rows

        after = eventually("the same windows are final", again)
        self.assertEqual({x: after[x] for x in before}, before)

    def lose(self):
        """The coordinator's machine burns down."""
        self.cluster.head.kill()
        shutil.rmtree(self.cluster.head.data)
        say("the coordinator's directory is lost")

    def rebuild(self, node, *args, data=None):
        data = data or self.cluster.head.data
        return harness.weir(
            *["admin", "rebuild-coordinator", "--json", "--timeout", "20s"],
            *["--data", data, node.address, *args],
        )

    def await_rebuilt(self, node, *args):
        """As soon as the nodes have noticed that their coordinator is gone."""
        seen = []

        def noticed():
            seen.append(self.rebuild(node, *args))
            return "is connected to a coordinator" not in seen[-1].err

        eventually("the nodes notice", noticed)
        return seen[-1]

    def go_on(self, done, before, status):
        """A coordinator starts with what was made, and nothing has changed."""
        made = self.assert_done(done).row
        say(f"{made['final_windows']} final windows were found")
        self.assertEqual(made["cluster"], status["cluster"])
        self.cluster.head.start()
        self.await_progress()
        self.assert_same_finals(before)
        # Flags of the first start say otherwise.
        self.assertEqual(self.look()["settings"], status["settings"])
        return made

    def go_on_with(self, late, before, status):
        """As soon as all nodes answer, one of which has just been launched."""
        seen = []

        def answered():
            seen.append(self.rebuild(self.cluster.nodes[0]))
            return seen[-1].code == 0

        eventually("all of them answer", answered)
        self.go_on(seen[-1], before, status)
        late.wait_ready()
        self.await_whole()
        self.finish()

    def test_one_node_knows_enough_to_find_the_others(self):
        self.begin_with_finals()
        other = self.cluster.directory / "other"
        done = self.rebuild(self.cluster.nodes[0], data=other)
        self.assertIn("is connected to a coordinator", done.err)
        self.assertEqual(done.code, FAILED)
        self.assertFalse((other / "coordinator.db").exists())
        before, status = self.finals(), self.look()
        self.lose()
        done = self.await_rebuilt(self.cluster.nodes[1])
        made = self.go_on(done, before, status)
        self.assertEqual({x["node"] for x in made["nodes"]}, {"n1", "n2", "n3"})
        self.assertEqual(made["settings_version"], status["settings_version"])
        self.assertEqual(made["shards_kept"], len(status["shards"]))
        done = self.rebuild(self.cluster.nodes[0])
        self.assertIn("holds a coordinator.db", self.assert_done(done, FAILED).err)
        self.await_whole()
        self.finish()

    def test_only_the_database_is_lost(self):
        """And the process that misses it is started again and again."""
        self.begin_with_finals()
        self.await_whole()
        before, status = self.finals(), self.look()
        head = self.cluster.head
        head.kill()
        for path in head.data.glob("coordinator.db*"):
            path.unlink()
        for _ in range(2):
            head.launch()
            self.assertEqual(head.process.wait(), FAILED)
            self.assertIn("weir admin rebuild-coordinator", head.process.output)
            self.assertEqual(list(head.data.glob("*.db")), [])
        # What lies beside is no substitute.
        node = self.cluster.nodes[1]
        node.stop()
        database = head.data / "coordinator.db"
        shutil.copy(node.data / "coordinator-copy.db", database)
        node.launch()
        head.launch()
        self.assertEqual(head.process.wait(), FAILED)
        self.assertIn("is a node's copy", head.process.output)
        database.unlink()
        self.go_on_with(node, before, status)

    def test_what_fails_leaves_nothing_behind(self):
        self.begin_with_finals()
        other = self.cluster.directory / "other"
        done = self.rebuild(self.cluster.nodes[0], data=other)
        self.assertIn("is connected", self.assert_done(done, FAILED).err)
        self.assertFalse(other.exists())
        for server in self.cluster.servers:
            server.kill()
        done = self.rebuild(self.cluster.nodes[0], data=other)
        self.assertIn("no node has answered", self.assert_done(done, UNREACHABLE).err)
        self.assertFalse(other.exists())

    def test_a_dead_node_is_waited_for_or_given_up(self):
        self.begin_with_finals()
        self.await_whole()
        before, status = self.finals(), self.look()
        dead = self.cluster.nodes[2]
        dead.kill()
        self.lose()
        done = self.await_rebuilt(self.cluster.nodes[0])
        self.assertIn("n3", self.assert_done(done, UNREACHABLE).err)
        done = self.rebuild(self.cluster.nodes[0], "--without", "n3")
        self.assertIn("--accept-loss", self.assert_done(done, FAILED).err)
        done = self.rebuild(
            self.cluster.nodes[0], "--without", "n3", "--accept-loss"
        )
        made = self.go_on(done, before, status)
        self.assertEqual(made["without"], ["n3"])
        named = [x["shard"] for x in status["shards"] if "n3" in faults.copies_of(x)]
        self.assertEqual(set(made["shards_electing"]) - set(named), set())
        self.await_whole(nodes=2)
        dead.launch()
        eventually("its old disk is refused", lambda: not dead.process.running)
        self.assertIn("declared gone", dead.process.output)
        self.wipe(dead)
        dead.start()
        self.await_whole()
        self.finish()

    def test_a_node_that_is_back_in_time_is_not_given_up(self):
        self.begin_with_finals()
        before, status = self.finals(), self.look()
        dead = self.cluster.nodes[2]
        dead.kill()
        self.lose()
        self.assert_done(self.await_rebuilt(self.cluster.nodes[0]), UNREACHABLE)
        dead.launch()
        self.go_on_with(dead, before, status)

    def test_nodes_that_were_all_restarted_still_know_it(self):
        self.begin_with_finals()
        before, status = self.finals(), self.look()
        self.lose()
        for node in self.cluster.nodes:
            node.kill()
        for node in self.cluster.nodes:
            node.launch()
        seen = []

        def answered():
            seen.append(self.rebuild(self.cluster.nodes[2]))
            return seen[-1].code == 0

        eventually("all of them answer", answered)
        made = self.assert_done(seen[-1]).row
        self.assertEqual(made["shards_electing"], [])
        self.go_on(seen[-1], before, status)
        for node in self.cluster.nodes:
            node.wait_ready()
        self.await_whole()
        self.finish()

    def test_the_old_directory_is_followed_by_nobody(self):
        self.begin_with_finals()
        before, status = self.finals(), self.look()
        head, old = self.cluster.head, self.cluster.directory / "old"
        head.kill()
        shutil.move(head.data, old)
        made = self.go_on(
            self.await_rebuilt(self.cluster.nodes[0]), before, status
        )
        self.assertEqual(made["generation"], 2)
        # It turns up at the address that the nodes know.
        head.kill()
        new, head.data = head.data, old
        head.start()
        words = "generation 2 has been rebuilt in its place"
        eventually("it is told so", lambda: words in head.process.output)
        states = {x["state"] for x in self.look()["nodes"]}
        self.assertEqual(states, {"down"})
        head.kill()
        head.data = new
        head.start()
        self.await_progress()
        self.await_whole()
        self.assert_same_finals(before)
        self.finish()

    def test_it_is_lost_again_and_again(self):
        self.begin_with_finals()
        for i in range(3):
            before, status = self.finals(), self.look()
            self.lose()
            node = self.random.choice(self.cluster.nodes)
            made = self.go_on(self.await_rebuilt(node), before, status)
            self.assertEqual(made["generation"], i + 2)
            self.await_whole()
        self.finish()


if __name__ == "__main__":
    unittest.main()
