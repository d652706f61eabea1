"""Random faults for as long as WEIR_SOAK_MINUTES says; see scripts/soak."""

import os
import time

import faults
import harness
from faults import FAILURE_TIMEOUT, say

MINUTES = float(os.environ.get("WEIR_SOAK_MINUTES", "1"))
# A stretch ends in a comparison. Each has a cluster of its own, so that the
# readings to remember stay few however long all of it takes.
STRETCH = 180
NODES_MAX = 5


def setUpModule():
    faults.print_seed()


class SoakTest(faults.FaultTest):
    def test_whatever_happens_nothing_is_lost_or_counted_twice(self):
        end = time.monotonic() + 60 * MINUTES
        stretches = 0
        while stretches == 0 or time.monotonic() < end:
            self.stretch(stretches, min(end, time.monotonic() + STRETCH))
            stretches += 1
        say(f"{stretches} stretches were exact")

    def stretch(self, number, end):
        self.begin(width=self.width(number))
        # Other choices in every stretch.
        self.random.seed(f"{faults.SEED} {number}")
        while time.monotonic() < end:
            fault = self.random.choice(
                [
                    self.kill_a_node,
                    self.kill_the_busiest,
                    self.wipe_a_node,
                    self.freeze_a_node,
                    self.kill_the_coordinator,
                    self.kill_coordinator_and_node,
                    self.kill_everybody,
                    self.flap,
                    self.join,
                ]
            )
            fault()
            # Sometimes the next fault meets a cluster that isn't whole.
            if self.random.random() < 0.7:
                self.await_whole(timeout=2 * harness.PATIENCE)
            self.await_progress()
            self.rest(1)
        self.await_whole(timeout=2 * harness.PATIENCE)
        self.finish()
        for cluster in self.clusters:
            cluster.close()
        self.clusters.clear()

    def width(self, number):
        """Of windows, so that many or few are sealed at a time."""
        return [faults.MINUTE, 1_000, 10_000][number % 3]

    def any_node(self):
        return self.random.choice(self.cluster.nodes)

    def bring_back(self, *servers):
        for x in servers:
            x.launch()
        for x in servers:
            x.wait_ready()

    def kill(self, *servers):
        say(f"kill -9 of {', '.join(x.name for x in servers)}")
        for x in servers:
            x.kill()
        self.rest(2 * FAILURE_TIMEOUT)
        self.bring_back(*servers)

    def kill_a_node(self):
        self.kill(self.any_node())

    def kill_the_busiest(self):
        self.kill(self.busiest())

    def kill_the_coordinator(self):
        self.kill(self.cluster.head)

    def kill_coordinator_and_node(self):
        self.kill(self.cluster.head, self.any_node())

    def kill_everybody(self):
        self.kill(*self.cluster.servers)

    def wipe_a_node(self):
        # Of two copies one has to live, so both have to be there.
        self.await_whole(timeout=2 * harness.PATIENCE)
        node = self.any_node()
        say(f"kill -9 of {node.name}, and its disk is lost")
        node.kill()
        self.wipe(node)
        self.rest(FAILURE_TIMEOUT)
        self.bring_back(node)
        self.await_whole(timeout=2 * harness.PATIENCE)

    def freeze_a_node(self):
        node = self.any_node()
        say(f"{node.name} is frozen")
        node.pause()
        self.rest(3 * FAILURE_TIMEOUT)
        node.resume()

    def flap(self):
        node = self.any_node()
        say(f"{node.name} dies again and again")
        for _ in range(self.random.randrange(2, 5)):
            node.kill()
            self.rest(0.3)
            node.launch()
            self.rest(0.5)
        node.kill()
        self.bring_back(node)

    def join(self):
        if len(self.cluster.nodes) >= NODES_MAX:
            return self.kill_the_busiest()
        node = self.cluster.add_node()
        say(f"{node.name} joins")
        return None
