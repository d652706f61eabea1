"""The command line seen from outside: exit codes and messages.

The program is the one that WEIR names, else build/weir.
"""

import json
import os
import subprocess
import tempfile
import time
import unittest

WEIR = os.environ.get("WEIR", "build/weir")


def weir(*args, stdout=subprocess.PIPE, **environment):
    """Runs weir with no WEIR_* variables but those given."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WEIR")}
    return subprocess.run(
        [WEIR, *args],
        env={**clean, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


class CliTest(unittest.TestCase):
    def assert_usage_error(self, done, text):
        self.assertEqual(done.returncode, 2, done)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stdout, "")
        for line in done.stderr.splitlines():
            self.assertTrue(line.startswith("weir: "), line)


class HelpTest(CliTest):
    def test_weir_alone_prints_its_help_and_is_a_usage_error(self):
        done = weir()
        self.assertEqual(done.returncode, 2)
        self.assertIn("Examples:", done.stdout)
        self.assertIn("Exit codes:", done.stdout)

    def test_help_is_no_error_however_it_is_asked_for(self):
        texts = set()
        for args in (["--help"], ["-h"], ["help"]):
            done = weir(*args)
            self.assertEqual(done.returncode, 0)
            self.assertEqual(done.stderr, "")
            texts.add(done.stdout)
        self.assertEqual(len(texts), 1)

    def test_every_command_in_the_help_has_a_help_with_examples(self):
        found = 0
        for path in ([], ["config"], ["window"], ["admin"]):
            lines = weir(*path, "--help").stdout.splitlines()
            start = lines.index("Commands:") + 1
            for line in lines[start : lines.index("", start)]:
                verb = line.split()[0]
                for args in ([*path, verb, "--help"], ["help", *path, verb]):
                    done = weir(*args)
                    self.assertEqual(done.returncode, 0, args)
                    self.assertIn("Examples:", done.stdout)
                    widest = max(map(len, done.stdout.splitlines()))
                    self.assertLessEqual(widest, 100, args)
                found += 1
        self.assertGreaterEqual(found, 5)

    def test_version(self):
        for args in (["--version"], ["version"]):
            done = weir(*args)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stdout, r"^weir \d+\.\d+\.\d+\n$")


class UsageErrorTest(CliTest):
    def test_an_unknown_command_suggests_the_nearest(self):
        self.assert_usage_error(
            weir("genrate"),
            "`weir genrate` is not a command. Did you mean `generate`? "
            "See `weir --help`.",
        )
        self.assert_usage_error(
            weir("config", "shwo"),
            "`weir config shwo` is not a command. Did you mean `show`? "
            "See `weir config --help`.",
        )
        done = weir("frobnicate")
        self.assert_usage_error(done, "`weir frobnicate` is not a command.")
        self.assertNotIn("Did you mean", done.stderr)

    def test_an_unknown_option_suggests_the_nearest(self):
        for arg in ("--widnow", "--widnow=5s"):
            self.assert_usage_error(
                weir("config", "show", arg),
                "unknown option `--widnow`. Did you mean `--window`? "
                "See `weir config show --help`.",
            )

    def test_a_misspelt_option_counts_before_a_missing_argument(self):
        self.assert_usage_error(
            weir("config", "check", "--fiel", "x"), "unknown option `--fiel`."
        )

    def test_an_option_before_the_command_is_explained(self):
        self.assert_usage_error(weir("--json"), "the command comes first")

    def test_an_option_without_its_value(self):
        self.assert_usage_error(
            weir("config", "show", "--window"), "--window needs a value."
        )

    def test_an_option_given_twice(self):
        self.assert_usage_error(
            weir("config", "show", "--window", "1s", "--window", "2s"),
            "--window was given 2 times; give it once.",
        )

    def test_an_argument_too_many(self):
        self.assert_usage_error(
            weir("version", "please"), "unexpected argument `please`."
        )

    def test_an_argument_too_few(self):
        self.assert_usage_error(weir("config", "check"), "FILE is required.")

    def test_control_characters_do_not_reach_the_terminal(self):
        self.assert_usage_error(weir("a\x1b[31m"), "`weir a?[31m`")


class ConfigShowTest(CliTest):
    def show(self, *args, **environment):
        done = weir("config", "show", "--json", *args, **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = map(json.loads, done.stdout.splitlines())
        return {row["option"]: row for row in rows}

    def test_without_sources_all_is_default(self):
        rows = self.show()
        self.assertEqual({x["origin"] for x in rows.values()}, {"default"})
        self.assertEqual(rows["window"]["value"], "1m")
        self.assertEqual(rows["window"]["scope"], "cluster")
        self.assertIsNone(rows["retention"]["value"])
        self.assertEqual(rows["linger"]["scope"], "process")

    def test_flags_prevail_over_environment_over_file(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "weir.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write('window = "2s"\nlateness = 2000\nlinger = "2ms"\n')
            for args, environment in (
                (["--config", path], {}),
                ([], {"WEIR_CONFIG": path}),
            ):
                rows = self.show(
                    *args,
                    "--window=4s",
                    WEIR_WINDOW="3s",
                    WEIR_LATENESS="3s",
                    **environment,
                )
                self.assertEqual(
                    [
                        (rows[x]["value"], rows[x]["origin"])
                        for x in ("window", "lateness", "linger", "clock")
                    ],
                    [
                        ("4s", "flag --window"),
                        ("3s", "environment WEIR_LATENESS"),
                        ("2ms", f"file {path}:3:1"),
                        ("event", "default"),
                    ],
                )

    def test_every_option_can_be_described(self):
        for row in self.show("--describe").values():
            self.assertTrue(row["meaning"].endswith("."))
            self.assertTrue(row["environment"].startswith("WEIR_"))
            self.assertTrue(row["takes"])
        text = weir("config", "show", "--describe").stdout
        self.assertIn("window = 1m  [default]\n    Width of the sliding", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_people_see_a_table(self):
        lines = weir("config", "show").stdout.splitlines()
        self.assertEqual(
            lines[0].split(), ["OPTION", "VALUE", "SCOPE", "ORIGIN"]
        )
        self.assertEqual(lines[1].split(), ["window", "1m", "cluster", "default"])
        self.assertIn("(window + lateness)", lines[3])
        self.assertEqual(len(lines), len(self.show()) + 1)

    def test_an_unknown_variable_is_a_warning(self):
        done = weir("config", "show", WEIR_WINDWO="5s")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(
            done.stderr,
            "weir: the environment variable WEIR_WINDWO names no option and was "
            "ignored. Did you mean WEIR_WINDOW?\n",
        )

    def test_all_bad_values_are_told_with_their_source(self):
        done = weir(
            "config", "show", "--clock", "sun", "--shards", "0", WEIR_LINGER="x"
        )
        self.assert_usage_error(done, "weir: environment WEIR_LINGER: ")
        self.assertIn("weir: --clock: ", done.stderr)
        self.assertIn("weir: --shards: 0 is out of range", done.stderr)

    def test_options_that_do_not_go_together(self):
        self.assert_usage_error(
            weir("config", "show", "--retention", "5s"),
            "--retention: retention (5s) must be at least window + lateness",
        )


class ConfigCheckTest(CliTest):
    def check(self, content):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "weir.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
            done = weir("config", "check", path, WEIR_WINDOW="nonsense")
            done.stdout = done.stdout.replace(directory + "/", "")
            done.stderr = done.stderr.replace(directory + "/", "")
            return done

    def test_a_good_file_is_ok_whatever_the_environment(self):
        done = self.check('window = "5s"\n[process]\nlinger = 5\n')
        self.assertEqual(
            (done.returncode, done.stdout, done.stderr), (0, "weir.toml: ok\n", "")
        )

    def test_all_errors_begin_with_their_place(self):
        done = self.check('windwo = "5s"\ncells-max = 1\n')
        self.assertEqual(done.returncode, 2)
        self.assertEqual(
            done.stderr,
            "weir.toml:1:1: `windwo` is not an option. Did you mean "
            "`window`?\n"
            "weir.toml:2:13: cells-max: 1 is out of range; it takes 2 to "
            "1000000 cells\n",
        )
        self.assertEqual(done.stdout, "")

    def test_a_file_that_is_not_there(self):
        done = weir("config", "check", "/nonexistent/weir.toml")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nonexistent/weir.toml: cannot be opened", done.stderr)


class GenerateTest(CliTest):
    def test_the_same_seed_gives_the_same_lines(self):
        one = weir("generate", "--events", "50", "--seed", "7")
        two = weir("generate", "--events", "50", "--seed", "7")
        other = weir("generate", "--events", "50", "--seed", "8")
        self.assertEqual(one.returncode, 0)
        self.assertEqual(len(one.stdout.splitlines()), 50)
        self.assertEqual(one.stdout, two.stdout)
        self.assertNotEqual(one.stdout, other.stdout)
        for line in one.stdout.splitlines():
            self.assertEqual(
                set(json.loads(line)), {"timestamp", "entity", "value"}
            )

    def test_options_reach_the_stream(self):
        done = weir(
            *"generate --events 1 --kind samples --metrics 2".split(),
            *"--format csv --start 2024-01-01".split(),
        )
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "timestamp_s,sensor_id,metric1,metric2")
        self.assertTrue(lines[1].startswith("1704067200,sensor-"))

    def test_a_file_gets_what_stdout_would(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "events.ndjson")
            done = weir("generate", "--events", "9", "--output", path)
            self.assertEqual((done.returncode, done.stdout), (0, ""))
            with open(path, encoding="utf-8") as file:
                self.assertEqual(
                    file.read(), weir("generate", "--events", "9").stdout
                )

    def test_options_without_meaning_are_usage_errors(self):
        for args, text in (
            ("--events -1", "--events: -1 is negative"),
            ("--events many", "--events = many"),
            ("--rate 0", "the rate must be"),
            ("--kind x", "the kind must be events or samples"),
            ("--disorder soon", '--disorder: "soon" is not a duration'),
            ("--start never", "--start: "),
        ):
            self.assert_usage_error(weir("generate", *args.split()), text)

    def test_a_file_that_cannot_be_written(self):
        done = weir("generate", "--output", "/nonexistent/events")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stderr, "weir: /nonexistent/events: No such file or directory\n"
        )


class OutputTest(CliTest):
    COMMANDS = (
        ["config", "show"],
        ["--help"],
        ["version"],
        ["generate", "--events", "100000"],
    )

    def test_a_closed_pipe_is_a_quiet_failure(self):
        for args in self.COMMANDS:
            read, write = os.pipe()
            os.close(read)
            try:
                done = weir(*args, stdout=write)
            finally:
                os.close(write)
            self.assertEqual((done.returncode, done.stderr), (1, ""), args)

    def test_streams_that_are_closed_are_not_taken_for_other_files(self):
        with tempfile.TemporaryDirectory() as directory:
            command = f"exec {WEIR} serve --listen 127.0.0.1:0 --data {directory}/d"
            server = subprocess.Popen(
                ["sh", "-c", command + " <&- >&- 2>&-"],
                env={k: v for k, v in os.environ.items() if "WEIR" not in k},
            )
            try:
                deadline = time.monotonic() + 60
                while not os.path.exists(f"{directory}/d/journal.db"):
                    self.assertIsNone(server.poll())
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                for fd in range(3):
                    self.assertEqual(
                        os.readlink(f"/proc/{server.pid}/fd/{fd}"), "/dev/null"
                    )
            finally:
                server.kill()
                server.wait()

    def test_a_full_disk_is_a_failure_told_once(self):
        for args in self.COMMANDS:
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = weir(*args, stdout=full)
            self.assertEqual(done.returncode, 1, args)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn("No space left on device", done.stderr)


if __name__ == "__main__":
    unittest.main()
