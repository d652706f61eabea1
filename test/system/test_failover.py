"""Nodes die, with and without their disks, under constant ingest: their shards
go on at other nodes, nothing acknowledged is lost, and nothing counts twice.

WEIR_ROUNDS sets how often the busiest node is killed.
"""

import os
import unittest

import faults

ROUNDS = int(os.environ.get("WEIR_ROUNDS", "4"))


def setUpModule():
    faults.print_seed()


class FailoverTest(faults.FaultTest):
    def round(self, wipe):
        """The busiest node dies, is missed by nobody, and comes back."""
        victim = self.busiest()
        victim.kill()
        self.await_down(victim)
        self.await_progress()
        self.await_answers()
        if wipe:
            self.wipe(victim)
        victim.start()
        self.await_whole()
        self.await_progress()

    def test_the_busiest_node_is_killed_again_and_again(self):
        self.begin()
        for i in range(ROUNDS):
            self.round(wipe=i % 2 == 1)
        self.finish()


if __name__ == "__main__":
    unittest.main()
