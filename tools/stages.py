"""Runs the stages of ./dev check and ./dev test; no program of its own.

A stage is a list of commands.  Its output is shown as it comes (or only when it
fails), with the time it took beside its budget.  A command that takes twice the
budget of its stage is stopped and has failed.
"""
import re
import subprocess
import time
from dataclasses import dataclass

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
CTEST = re.compile(r"tests passed, (\d+) tests failed out of (\d+)")


@dataclass
class Count:
    """How many tests or checks ended how."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


@dataclass(frozen=True)
class Stage:
    """Commands to run in order, and how long they may take together."""
    name: str
    budget_s: int
    commands: list


def count_of_line(line):
    """The counts that a line of output states, or None."""
    match = SUMMARY.match(line.strip())
    if match:
        return Count(*(int(number or 0) for number in match.groups()))
    match = CTEST.search(line)
    if match:
        failed, total = int(match.group(1)), int(match.group(2))
        return Count(passed=total - failed, failed=failed)
    return None


def run_command(command, limit_s, show, environment=None):
    """Run one command; return its exit code, its output, and the counts that
    its last summary line states (None without such a line)."""
    lines, count = [], None
    with subprocess.Popen(
            ["timeout", "--kill-after=10", str(limit_s), *command], text=True,
            errors="replace", env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            for line in process.stdout:
                lines.append(line)
                count = count_of_line(line) or count
                if show:
                    print(line, end="", flush=True)
        except KeyboardInterrupt:
            process.terminate()
            raise
    if process.returncode == 124:
        lines.append(f"stopped after {limit_s} s\n")
    return process.returncode, "".join(lines), count


def print_time(stage, verdict, seconds):
    over = ", over budget" if seconds > stage.budget_s else ""
    print(f"{verdict:4} {stage.name:10} {seconds:6.1f} s"
          f" (budget {stage.budget_s} s{over})", flush=True)


def run_check(stage):
    """Run a stage that is one check; its output is shown when it fails."""
    start = time.monotonic()
    code, output = 0, ""
    for command in stage.commands:
        code, output, _ = run_command(command, 2 * stage.budget_s, show=False)
        if code != 0:
            break
    print_time(stage, "ok" if code == 0 else "FAIL", time.monotonic() - start)
    if code != 0:
        print(output.rstrip(), flush=True)
    return code == 0


def run_tests(stage, environment=None):
    """Run a stage whose last command states counts of tests.

    A command that fails, or says nothing of what it did, is one failed test,
    so that no stage passes by breaking early."""
    print(f"== {stage.name}", flush=True)
    start = time.monotonic()
    count, code = None, 0
    for command in stage.commands:
        code, _, count = run_command(command, 2 * stage.budget_s, True,
                                     environment)
        if code != 0:
            break
    if count is None:
        print(f"{stage.name}: no line 'N passed, N failed'")
        count = Count(failed=1)
    if code != 0 and count.failed == 0:
        count.failed = 1
    print_time(stage, "FAIL" if count.failed else "ok",
               time.monotonic() - start)
    return count
