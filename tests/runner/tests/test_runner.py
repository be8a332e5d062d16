"""The parts of the runner that need no build: python3 -m unittest discover -s tests -t tests -p test_runner.py"""

import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
import unittest

from runner import native, plan
from runner.report import Outcome, Report
from runner.schedule import Job, Lane, Scheduler


class Schedules(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.said = []
        self.scheduler = Scheduler(2, self.folder.name, self.said.append)

    def order(self):
        return [line for line in self.said if line.startswith("start")]

    def starts(self, lane, *beside):
        """Whether such a job starts while those run."""
        running = {str(n): (Job(str(n), other, str), None) for n, other in enumerate(beside)}
        self.scheduler._running = running  # pylint: disable=protected-access
        return self.scheduler.room_for(Job("it", lane, str))

    def test_a_build_runs_beside_tests_and_tests_beside_each_other(self):
        self.assertTrue(self.starts(Lane.OWN_TIME, Lane.BUILD, Lane.REAL_TIME))
        self.assertTrue(self.starts(Lane.REAL_TIME, Lane.BUILD, Lane.OWN_TIME))
        self.assertTrue(self.starts(Lane.BUILD, Lane.OWN_TIME, Lane.OWN_TIME))

    def test_there_are_no_more_tests_than_processors(self):
        self.assertTrue(self.starts(Lane.OWN_TIME, Lane.OWN_TIME))
        self.assertFalse(self.starts(Lane.OWN_TIME, Lane.OWN_TIME, Lane.OWN_TIME))
        self.assertFalse(self.starts(Lane.REAL_TIME, Lane.OWN_TIME, Lane.OWN_TIME))

    def test_one_build_at_a_time_and_one_test_in_real_time(self):
        self.assertFalse(self.starts(Lane.BUILD, Lane.BUILD))
        self.assertFalse(self.starts(Lane.REAL_TIME, Lane.REAL_TIME))
        self.assertFalse(self.starts(Lane.GUEST, Lane.GUEST))
        self.assertTrue(self.starts(Lane.REAL_TIME, Lane.GUEST))

    def test_a_job_that_measures_runs_alone(self):
        self.assertTrue(self.starts(Lane.ALONE))
        for lane in (Lane.BUILD, Lane.OWN_TIME, Lane.REAL_TIME, Lane.ALONE):
            self.assertFalse(self.starts(Lane.ALONE, lane))
            self.assertFalse(self.starts(lane, Lane.ALONE))

    def test_what_is_needed_ends_first_and_then_makes_more(self):
        ended = []
        more = Job("more", Lane.OWN_TIME, lambda _: ended.append("more") or "")
        self.scheduler.run([
            Job("test", Lane.OWN_TIME, lambda _: ended.append("test") or "", needs=("build",)),
            Job("build", Lane.BUILD, lambda _: ended.append("build") or "", order=9,
                then=lambda job: [more]),
        ])
        self.assertEqual((ended[0], set(ended)), ("build", {"build", "test", "more"}))

    def test_the_lowest_order_starts_first(self):
        one = Scheduler(1, self.folder.name, self.said.append)
        one.run([Job(name, Lane.OWN_TIME, lambda _: "", order=order)
                 for name, order in (("b", 2), ("c", 3), ("a", 1))])
        self.assertEqual(self.order(), ["start a", "start b", "start c"])

    def test_a_need_that_nobody_fulfils_is_an_error_and_no_hang(self):
        with self.assertRaisesRegex(RuntimeError, "wait for ever: .*test"):
            self.scheduler.run([Job("test", Lane.OWN_TIME, lambda _: "", needs=("nothing",))])

    def test_what_a_job_raises_is_raised_and_the_others_are_ended(self):
        seen = {}

        def long(commands):
            seen["status"] = commands.run(["sleep", "60"], self.folder.name)
            return ""

        def bad(_):
            time.sleep(0.1)
            raise ValueError("a mistake of the runner's")

        begun = time.monotonic()
        with self.assertRaisesRegex(ValueError, "a mistake"):
            self.scheduler.run([Job("long", Lane.OWN_TIME, long), Job("bad", Lane.OWN_TIME, bad)])
        self.assertLess(time.monotonic() - begun, 30)
        self.assertEqual(seen, {"status": None})

    def test_an_interrupt_leaves_nothing_running(self):
        shell = ["sh", "-c", "sleep 60 & echo $!; wait"]
        job = Job("long", Lane.OWN_TIME, lambda commands: commands.run(shell, self.folder.name))
        log = pathlib.Path(self.folder.name) / "long.log"

        def interrupt():  # as soon as there is something to leave running
            until = time.monotonic() + 60
            while time.monotonic() < until and not (log.exists() and log.read_text().endswith("\n")):
                time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)

        # Whoever runs the tests in the background may have had the signal ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        threading.Thread(target=interrupt).start()
        with self.assertRaises(KeyboardInterrupt):
            self.scheduler.run([job])
        child = int(log.read_text())
        until = time.monotonic() + 20
        while pathlib.Path(f"/proc/{child}").exists() and state_of(child) != "Z":
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)

    def test_a_command_that_takes_too_long_is_killed_with_all_it_started(self):
        statuses = []
        job = Job("slow", Lane.OWN_TIME, lambda commands: str(statuses.append(
            commands.run(["sh", "-c", "sleep 60 | sleep 60"], self.folder.name, timeout=0.2))))
        self.scheduler.run([job])
        self.assertEqual(statuses, [None])
        self.assertLess(job.wall, 30)

    def test_processor_time_is_that_of_the_children(self):
        spin = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"]
        job = Job("spin", Lane.OWN_TIME, lambda commands: str(commands.run(spin, self.folder.name)))
        self.scheduler.run([job])
        self.assertGreater(job.processor, 0.25)


def state_of(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


class Counts(unittest.TestCase):
    CASES = """<testsuites>
      <testsuite>
        <testcase classname="a" name="good" result="completed"><properties>
            <property name="seeds" value="7"/></properties></testcase>
        <testcase classname="a" name="bad" result="completed">
            <failure message="a.cpp:1&#10;it is wrong"/></testcase>
        <testcase classname="a" name="off" result="skipped">
            <skipped message="a.cpp:2&#10;no such kernel"/></testcase>
        <testcase classname="a" name="elsewhere" status="notrun" result="suppressed"/>
      </testsuite></testsuites>"""

    def part(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "x.xml"
        if text:
            path.write_text(text)
        return native.Part("x", ("x",), {}, 1, path)

    def test_cases_of_a_report(self):
        outcome = native.count_cases(self.part(self.CASES), "")
        self.assertEqual(outcome.line(), "1 passed, 1 failed, 1 skipped")
        self.assertEqual(outcome.failures, [("x a.bad", "a.cpp:1\nit is wrong")])
        self.assertEqual(outcome.skips, ["x a.off: no such kernel"])
        self.assertEqual(outcome.records, [("seeds", "7")])

    def test_no_report_is_a_failure_with_the_end_of_the_output(self):
        outcome = native.count_cases(self.part(""), "it went\nto pieces")
        self.assertEqual(outcome.failed, 1)
        self.assertIn("left no report", outcome.failures[0][0])
        self.assertEqual(outcome.failures[0][1], "it went\nto pieces")

    def test_a_script_says_its_count_in_its_last_line(self):
        text = "FAIL one (3 s)\n    | why\nPASS two\nSKIP three: because\n1 passed, 1 failed, 1 skipped\n"
        outcome = plan.outcome_of_script(1, text)
        self.assertEqual(outcome.line(), "1 passed, 1 failed, 1 skipped")
        self.assertEqual(outcome.failures, [("one (3 s)", "    | why")])
        self.assertEqual(outcome.skips, ["three: because"])

    def test_a_script_without_a_count_or_with_none_has_failed(self):
        self.assertEqual(plan.outcome_of_script(0, "all is well\n").failed, 1)
        self.assertEqual(plan.outcome_of_script(0, "0 passed, 0 failed, 0 skipped\n").failed, 1)
        self.assertEqual(plan.outcome_of_script(1, "3 passed, 0 failed, 0 skipped\n").failed, 1)
        self.assertEqual(plan.outcome_of_script(None, "").failed, 1)

    def test_what_a_sanitizer_said_is_told_with_the_first_place_of_ours(self):
        said = "\n".join([
            "==7==ERROR: LeakSanitizer: detected memory leaks",
            "    #0 0x1 in malloc asan_malloc_linux.cpp:69",
            "    #1 0x2 in allocate tests/support/failing_memory.cpp:35",
            "    #2 0x3 in fulmar::core::target::f() src/core/target.cpp:288",
            "    #3 0x4 in main tests/main.cpp:1",
            "SUMMARY: AddressSanitizer: 32 byte(s) leaked in 1 allocation(s)."])
        self.assertEqual(native.verdict(said),
                         "; SUMMARY: AddressSanitizer: 32 byte(s) leaked in 1 allocation(s)."
                         "; fulmar::core::target::f() src/core/target.cpp:288")
        self.assertEqual(native.verdict("[  PASSED  ] 3 tests."), "")


class Reports(unittest.TestCase):
    def test_a_kind_that_counts_nothing_has_failed(self):
        report = Report(2)
        report.spend("build", "release", 9)
        report.add("unit", "release", Outcome())
        report.add("sim", "release", Outcome(passed=1))
        report.check_that_all_counted()
        self.assertEqual(report.total(), (1, 1, 0))
        self.assertEqual(report.failures, ["unit (release): counted no case at all"])

    def test_a_run_that_takes_too_long_has_failed(self):
        report = Report(2)
        report.add("unit", "release", Outcome(passed=1))
        report.check_budget(75 * 60, 75)
        self.assertEqual(report.total(), (1, 0, 0))
        report.check_budget(75 * 60 + 7, 75)
        self.assertEqual(report.total(), (1, 1, 0))


class GuestsThatDied(unittest.TestCase):
    def test_one_that_the_emulator_killed_is_told_although_it_passed_again(self):
        text = "boot 1: x\nAGAIN churn: the guest died: QEMU ended by SIGSEGV\nboot 2: x\nPASS churn (3.0 s)\n"
        self.assertEqual(plan.run_again(text), ["vm AGAIN churn: the guest died: QEMU ended by SIGSEGV"])


class Plans(unittest.TestCase):
    def jobs(self, kinds, presets=("release", "asan", "tsan"), **more):
        made = plan.Plan(Report(2), list(kinds), list(presets), 2, **{"explicit": False, **more})
        return {job.name: job for job in made.jobs()}

    def test_a_whole_run_begins_with_what_the_guest_needs(self):
        jobs = self.jobs(plan.KINDS)
        self.assertEqual([name for name in jobs if name.startswith("build")],
                         ["build release programs", "build release", "build asan", "build tsan",
                          "build fuzz"])
        self.assertEqual(jobs["vm"].needs, ("build release programs",))
        self.assertEqual(jobs["fuzz"].needs, ("build fuzz",))
        self.assertEqual(jobs["build tsan"].needs, ("build asan",))

    def test_a_kind_by_name_builds_no_more_than_it_needs(self):
        self.assertEqual(list(self.jobs(["lint"], explicit=True)), ["lint"])
        self.assertEqual(list(self.jobs(["fuzz"], explicit=True)), ["build fuzz", "fuzz"])
        self.assertEqual(list(self.jobs(["vm"], explicit=True)),
                         ["build release programs", "vm", "vm alone"])
        self.assertEqual(list(self.jobs(["model"], explicit=True)), ["build release", "build asan"])

    def test_the_simulator_is_run_with_the_thread_sanitizer_when_it_is_asked_for(self):
        self.assertNotIn("build tsan", self.jobs(["sim"], explicit=True))
        self.assertIn("build tsan", self.jobs(["sim"], explicit=True, soak=True))
        self.assertIn("build tsan", self.jobs(["sim"], presets=["tsan"], explicit=True))


if __name__ == "__main__":
    unittest.main()
