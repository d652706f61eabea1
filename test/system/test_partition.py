"""A network that loses its parts, and gets them back.

Every node lives in a network namespace of its own, and hangs on a bridge in
that of the coordinator and the producer. Addresses are loopback's, as they have
to be without encryption, which `route_localnet` lets pass between namespaces.
Packets vanish without a word, as with a broken cable. Skipped where namespaces
can't be made: that takes root, and iproute2.
"""

import ctypes
import os
import subprocess
import unittest

import faults
import harness
from faults import FAILURE_TIMEOUT, eventually, say

CLONE_NEWNET = 0x40000000
NET = "127.0.1"


def setUpModule():
    faults.print_seed()


def ip(*words, inside=None):
    """Runs ip(8), in the namespace of this name."""
    where = ["-n", inside] if inside else []
    done = subprocess.run(
        ["ip", *where, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")


def enter(path):
    """Puts this thread, and what it starts from now on, into a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, encoding="ascii") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"no way into {path}")


class Network:
    """A bridge with a port for each node. The calling thread is in the bridge's
    namespace from `__init__` to `close`."""

    def __init__(self):
        self.prefix = f"weir{os.getpid()}"
        self.names = []
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            self.add("hub", 1)
            enter(f"/run/netns/{self.names[0]}")
            ip("link", "add", "bridge", "type", "bridge")
            ip("addr", "add", f"{NET}.1/24", "dev", "bridge")
            ip("link", "set", "bridge", "up")
            self.let_loopback_pass(self.names[0])
        except BaseException:
            self.close()
            raise

    def name(self, node):
        return f"{self.prefix}-{node}"

    def add(self, node, number):
        """A namespace without a cable."""
        name = self.name(node)
        ip("netns", "add", name)
        self.names.append(name)
        # Packets to itself; the address goes, since its net would be local.
        ip("link", "set", "lo", "up", inside=name)
        ip("addr", "del", "127.0.0.1/8", "dev", "lo", inside=name)
        return name, f"{NET}.{number}"

    def let_loopback_pass(self, name):
        path = "/proc/sys/net/ipv4/conf/all/route_localnet"
        subprocess.run(
            ["ip", "netns", "exec", name, "sh", "-c", f"echo 1 > {path}"], check=True
        )

    def plug_in(self, node, number):
        """A namespace on the bridge; its name and its address."""
        name, address = self.add(node, number)
        ip("link", "add", node, "type", "veth", "peer", "name", "eth", "netns", name)
        ip("addr", "add", f"{address}/24", "dev", "eth", inside=name)
        ip("link", "set", "eth", "up", inside=name)
        self.let_loopback_pass(name)
        ip("link", "set", node, "master", "bridge")
        ip("link", "set", node, "up")
        return name, address

    # Faults, and how they are mended.

    def cut(self, node):
        """From everybody."""
        ip("link", "set", node, "nomaster")

    def mend(self, node):
        ip("link", "set", node, "master", "bridge")

    def isolate(self, node, on=True):
        """From all others that are isolated, but not from the coordinator."""
        how = "on" if on else "off"
        ip("link", "set", "dev", node, "type", "bridge_slave", "isolated", how)

    def block_hub(self, node, on=True):
        """What it sends to the coordinator and to producers is lost."""
        how = "add" if on else "del"
        ip("route", how, "blackhole", f"{NET}.1/32", inside=self.name(node))

    def close(self):
        enter(f"/proc/self/fd/{self.home}")
        os.close(self.home)
        for name in self.names:
            ip("netns", "del", name)


def reason_to_skip():
    try:
        Network().close()
    except OSError as error:
        return f"network namespaces can't be made here: {error}"
    return None


class NetCluster(harness.Cluster):
    def __init__(self, network, *args):
        self.network = network
        super().__init__(*args)

    def make_server(self, role, directory, name, options):
        res = harness.Server(role, directory, name, options)
        if role == "coordinator":
            res.host = f"{NET}.1"
        else:
            space, res.host = self.network.plug_in(name, int(name[1:]) + 1)
            res.under = ["ip", "netns", "exec", space]
        return res


class PartitionTest(faults.FaultTest):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            reason = "network namespaces take root"
        else:
            reason = reason_to_skip()
        if reason:
            print(f"partitions are not tested: {reason}", flush=True)
            raise unittest.SkipTest(reason)

    def start_cluster(self, *args):
        self.network = Network()
        # After the cluster's processes have ended.
        self.addCleanup(self.network.close)
        self.addCleanup(lambda: self.cluster.close())
        self.clusters.append(NetCluster(self.network, *args))
        return self.clusters[-1]

    def test_a_primary_that_is_cut_off_is_replaced_and_becomes_a_copy(self):
        self.begin()
        for _ in range(2):
            victim = self.busiest()
            led = {s for s, n in self.primaries().items() if n == victim.name}
            self.network.cut(victim.name)
            self.await_down(victim)
            self.await_progress()
            say(f"{victim.name} is cut off, and readings are accepted")
            now = self.primaries()
            self.assertEqual([s for s in led if now[s] == victim.name], [])
            self.network.mend(victim.name)
            self.await_whole()
            say(f"{victim.name} is back, and all is whole")
        self.finish()

    def test_a_short_interruption_loses_nothing(self):
        self.begin()
        for _ in range(4):
            victim = self.random.choice(self.cluster.nodes)
            self.network.cut(victim.name)
            self.rest(FAILURE_TIMEOUT)
            self.network.mend(victim.name)
            self.await_progress()
        self.await_whole()
        self.finish()

    def test_a_node_that_dies_while_it_is_cut_off_comes_back(self):
        self.begin()
        victim = self.busiest()
        self.network.cut(victim.name)
        self.await_down(victim)
        victim.kill()
        self.network.mend(victim.name)
        victim.start()
        self.await_whole()
        self.finish()

    def test_two_nodes_that_do_not_hear_each_other_stop_no_shard(self):
        self.begin()
        status = self.await_balance()
        pair = faults.copies_of(status["shards"][0])
        for name in pair:
            self.network.isolate(name)
        # Who can't replicate to a copy proposes to go on without it.
        shard = lambda: self.cluster.status()["shards"][0]
        eventually("their shard changes", lambda: len(shard()["backups"]) == 0)
        self.await_progress()
        say(f"{' and '.join(pair)} don't hear each other; readings are accepted")
        for name in pair:
            self.network.isolate(name, on=False)
        self.await_whole()
        self.finish()

    def test_a_node_that_only_other_nodes_hear_is_replaced(self):
        self.begin()
        victim = self.busiest()
        self.network.block_hub(victim.name)
        self.await_down(victim)
        self.await_progress()
        say(f"only nodes hear {victim.name}; readings are accepted")
        self.network.block_hub(victim.name, on=False)
        self.await_whole()
        self.finish()


if __name__ == "__main__":
    unittest.main()
