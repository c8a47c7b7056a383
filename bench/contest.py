"""Contestants measured in turn, and the rows of the table that come of it.

A contestant is a function that does its work once and returns a Sample.  All
of a group run one after the other, then all again (A B A B), so that what
changes slowly hits each of them alike.
"""
import json
import pathlib
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass

import machine
import processes

MIB = 1 << 20
NOISE_PERCENT = 6
NOISY_TRIES = 5
QUIET_S = 300
UNITS = {"rate": ("MiB/s", 1 / MIB), "files": ("files/s", 1),
         "puts": ("blocks/s", 1), "cpu": ("s CPU", 1), "ms": ("ms", 1),
         "us": ("us", 1), "usage": ("us", 1), "mib": ("MiB", 1 / MIB),
         "left": ("MiB", 1 / MIB), "adds": ("MiB", 1 / MIB),
         "sends": ("MiB", 1 / MIB), "receives": ("MiB", 1 / MIB),
         "got": ("files/s", 1), "got_cpu": ("s CPU", 1), "more": ("ms", 1),
         "trips": ("round trips", 1), "share": ("% of a core", 1),
         "found": ("%", 1), "stored": ("%", 1), "hops": ("hops", 1),
         "messages": ("messages", 1), "kib": ("KiB", 1 / 1024),
         "speed": ("x", 1)}


class Skip(Exception):
    """Why something cannot be measured here."""


@dataclass
class Row:
    """A line of the table: a ratio of two contestants, or one value.

    `metric` is the key of the samples; with `at_least` the target is a lower
    limit, else an upper one.  Without a target nothing is judged.
    """
    name: str
    ours: str
    metric: str
    theirs: str | None = None
    target: float | None = None
    at_least: bool = True


class Bench:
    """The options, a folder to work in, and what was measured."""

    def __init__(self, options, programs):
        self.options = options
        self.programs = pathlib.Path(programs)
        options.folder.mkdir(parents=True, exist_ok=True)
        self.folder = pathlib.Path(
            tempfile.mkdtemp(prefix="work-", dir=options.folder))
        self.results = options.folder / "results.jsonl"
        self.below = 0
        self.holder = machine.hold_memory(self.programs / "touch_memory")

    def close(self):
        """Remove what was written but the results."""
        if self.holder is not None:
            self.holder.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def size(self, size, unit=MIB):
        """A size or count scaled as asked for, in whole units."""
        return max(round(size * self.options.scale / unit), 1) * unit

    def empty(self, name):
        """An empty folder."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    def drop(self, name):
        """Remove a folder."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def program(self, name, *args):
        """Run one of our measuring programs; return what it printed."""
        result = processes.run([self.programs / name, *args], timeout=900)
        if result.code != 0:
            raise processes.Failure(str(result))
        return result.json()

    def before(self, *paths):
        """Just before something is timed: what it needs is in memory."""
        for path in paths:
            if pathlib.Path(path).is_dir():
                machine.read_tree(path)
            else:
                machine.read_file(path)
        machine.touch_memory(self.programs / "touch_memory")

    # Measuring.

    def _measure(self, function):
        """One sample of a contestant on a machine that is quiet."""
        for attempt in range(NOISY_TRIES):
            if not self.options.noisy and not machine.wait_quiet(
                    NOISE_PERCENT, QUIET_S):
                print("  others keep the machine busy", flush=True)
            with machine.Noise() as noise:
                sample = function()
            sample["noise"] = round(noise.percent, 1)
            if self.options.noisy or noise.percent < NOISE_PERCENT:
                break
            if attempt + 1 < NOISY_TRIES:
                print(f"  disturbed by {noise.percent:.0f} %, again",
                      flush=True)
        return sample

    def rounds(self, contestants, count=None):
        """Let contestants (name -> function) take turns; return the samples
        of each, or the Skip that it raised."""
        samples = {name: [] for name in contestants}
        for number in range(count or self.options.n):
            for name, function in contestants.items():
                if isinstance(samples[name], Skip):
                    continue
                try:
                    sample = self._measure(function)
                except Skip as reason:
                    samples[name] = reason
                    continue
                samples[name].append(sample)
                if self.options.verbose:
                    print(f"  {number + 1} {name}: " + ", ".join(
                        f"{key} {_plain(key, value)}"
                        for key, value in sample.items()), flush=True)
        return samples

    # Telling.

    def report(self, samples, rows):
        """Print rows and keep them with all their values."""
        for row in rows:
            reason = next((samples[name] for name in (row.ours, row.theirs)
                           if isinstance(samples.get(name), Skip)), None)
            if reason is not None:
                print(f"{row.name:34} skipped: {reason}", flush=True)
                continue
            ours = [one[row.metric] for one in samples[row.ours]]
            theirs = ([one[row.metric] for one in samples[row.theirs]]
                      if row.theirs else None)
            self._tell(row, ours, theirs, max(
                one["noise"] for one in samples[row.ours]))

    def _tell(self, row, ours, theirs, noise):
        unit, scale = UNITS[row.metric]
        if theirs:
            pairs = [a / b for a, b in zip(ours, theirs) if b > 0]
            value = statistics.median(pairs) if pairs else float("nan")
            shown, sign = f"{value:.2f}x", "x"
        else:
            value, sign = statistics.median(ours) * scale, f" {unit}"
            shown = ""
        verdict = self._judge(row, value)
        limit = "" if row.target is None else (
            f"{'at least' if row.at_least else 'at most'} {row.target:g}{sign}")
        print(f"{row.name:34} {_number(ours, scale):>24} "
              f"{_number(theirs, scale) if theirs else '':>24} {unit:9}"
              f"{shown:>7}  {limit:19} {verdict}", flush=True)
        with open(self.results, "a", encoding="utf-8") as file:
            file.write(json.dumps({
                "row": row.name, "ours": ours, "theirs": theirs,
                "against": row.theirs, "metric": row.metric, "value": value,
                "target": row.target, "at_least": row.at_least,
                "verdict": verdict, "scale": self.options.scale,
                "noise": noise, "machine": machine.describe(),
                "date": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
            }) + "\n")

    def _judge(self, row, value):
        if row.target is None:
            return ""
        reached = (value >= row.target if row.at_least
                   else value <= row.target)
        if not reached:
            self.below += 1
        if reached:
            return "ok"
        return "BELOW" if row.at_least else "OVER"


def table(results):
    """The newest value of each row that was kept, as a table in Markdown."""
    newest = {}
    with open(results, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            newest[row["row"]] = row
    lines = ["| what | ours | others | ratio | wanted | | noise |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for row in newest.values():
        unit, scale = UNITS[row["metric"]]
        theirs = _number(row["theirs"], scale) if row["theirs"] else ""
        target = "" if row["target"] is None else (
            f"{'at least' if row['at_least'] else 'at most'} "
            f"{row['target']:g}")
        ratio = f"{row['value']:.2f}" if row["theirs"] else ""
        lines.append(f"| {row['row']} | {_number(row['ours'], scale)} {unit} "
                     f"| {theirs} | {ratio} | {target} "
                     f"| {row['verdict'].lower()} | {row['noise']:.0f} % |")
    return "\n".join(lines)


def _plain(key, value):
    scale = UNITS.get(key, ("", 1))[1]
    return f"{value * scale:.4g}"


def _number(values, scale):
    """Median, least and most."""
    values = [value * scale for value in values]
    digits = 0 if max(values) >= 100 else 1 if max(values) >= 10 else 2
    text = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return text
    return text + f" ({min(values):.{digits}f}-{max(values):.{digits}f})"
