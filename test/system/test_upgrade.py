"""Every process in turn is stopped and started as another build of the same wire
version: nobody has to stop sending or asking meanwhile, and nothing is lost.
"""

import os
import pathlib

import faults
import harness
from faults import say


def setUpModule():
    faults.print_seed()


class UpgradeTest(faults.FaultTest):
    def newer_program(self):
        """The program, with another version in it."""
        old = harness.weir("version").out.strip()
        new = old[:-1] + "x"
        text = pathlib.Path(harness.WEIR).read_bytes()
        self.assertEqual(text.count(old.encode() + b"\0"), 1)
        res = self.cluster.directory / "weir"
        res.write_bytes(text.replace(old.encode() + b"\0", new.encode() + b"\0"))
        os.chmod(res, 0o755)
        return res, old, new

    def versions(self):
        return {x["name"]: x["version"] for x in self.cluster.status()["nodes"]}

    def test_every_process_in_turn_becomes_a_newer_one(self):
        self.begin()
        program, old, new = self.newer_program()
        expected = {f"n{i}": old for i in (1, 2, 3)}
        self.assertEqual(self.versions(), expected)
        for server in self.cluster.servers:
            server.program = program
            self.assertEqual(server.stop(), 0)
            server.start()
            self.await_progress()
            self.await_whole()
            if server is not self.cluster.head:
                expected[server.name] = new
            self.assertEqual(self.versions(), expected)
            say(f"{server.name} is a newer one")
        self.finish()
