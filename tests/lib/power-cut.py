#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every moment at which the power could fail while larder writes to a disk, played on image files.

power-cut.py show LOG                                      the recorded writes (tests/record-writes.c) in words
power-cut.py play [--random N] [--sector-size N] [--kept PATH:TEXT] [--unmended] BEFORE LOG FINAL-DUMP FOREIGN-FIRST FOREIGN-COUNT CMD…

BEFORE is the image before the recorded run. For every prefix of the record (whole writes; the last one torn), and for sets of
writes between two flushes of which some never arrived (all such sets where there are few writes, else --random of them, each also in
another order), it makes the image that a power cut would leave, runs CMD (with @ for the
image) and demands that it either

    succeeds, and then the table is as FINAL-DUMP says (--unmended: a copy may be damaged still), the filesystem is sound, and what must be kept is there; or
    refuses (status 1), and then has changed nothing

and that in both cases the foreign sectors are as in BEFORE and, in at least one copy of the table, so is the foreign entry. Prints what
happened how often, and fails at the first state that breaks a rule.
"""
import argparse
import collections
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True
import gpt  # noqa: E402

TORN_LEAST = 4096  # a smaller write is taken as whole or not there, and so is one sector
EXHAUSTIVE = 7  # up to so many writes between two flushes, every subset is tried


def read_log(path):
    records = []
    with open(path, "rb") as f:
        while line := f.readline():
            kind, *numbers = line.split()
            numbers = [int(n) for n in numbers]
            if kind == b"W":
                records.append(("W", numbers[0], f.read(numbers[1])))
            elif kind == b"Z":
                records.append(("W", numbers[0], bytes(numbers[1])))
            elif kind == b"T":
                sys.exit("the image was truncated")
            else:
                records.append(("F", 0, b""))
    return records


def epochs(records):
    """Lists of writes between flushes, in order."""
    current, result = [], []
    for kind, offset, data in records:
        if kind == "W":
            current.append((offset, data))
        elif current:
            result.append(current)
            current = []
    if current:
        result.append(current)
    return result


def torn(write, sector):
    """The first half of the sectors of a write arrived."""
    offset, data = write
    half = len(data) // sector // 2 * sector
    return (offset, data[:half]) if len(data) >= max(TORN_LEAST, 2 * sector) else None


def states(all_epochs, n_random, sector):
    """(name, writes in the order in which they arrived)"""
    chance = random.Random(4711)
    done = []
    for number, epoch in enumerate(all_epochs):
        name = f"epoch {number}"
        for n in range(len(epoch)):
            yield f"{name}: the first {n} of {len(epoch)} writes", done + epoch[:n]
            if part := torn(epoch[n], sector):
                yield f"{name}: the first {n} writes and a torn one", done + epoch[:n] + [part]
                yield f"{name}: the first {n} writes and one sector", done + epoch[:n] + [(part[0], part[1][:sector])]
        if len(epoch) <= EXHAUSTIVE:
            subsets = [s for n in range(1, len(epoch)) for s in itertools.combinations(range(len(epoch)), n)
                       if s != tuple(range(n))]
        else:
            samples = [chance.sample(range(len(epoch)), chance.randrange(1, len(epoch))) for _ in range(n_random)]
            subsets = [order for sample in samples for order in (sorted(sample), sample)]
        for subset in subsets:
            yield f"{name}: only the writes {list(subset)}", done + [epoch[i] for i in subset]
        if 1 < len(epoch) <= EXHAUSTIVE:
            yield f"{name}: in reverse", done + epoch[::-1][:len(epoch) - 1]
        done = done + epoch
    yield "all", done


def run(argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


class Player:
    def __init__(self, a, directory):
        self.a = a
        self.sector = a.sector_size
        self.image = os.path.join(directory, "state.img")
        self.first, self.count = a.foreign_first, a.foreign_count
        self.met = collections.Counter()
        with open(a.final, encoding="utf-8") as f:
            self.final = f.read()
        place = re.search(r"start= *(\d+), size= *(\d+),.*name=\"IMAGECACHE\"", self.final)
        self.offset = int(place.group(1)) * self.sector
        self.foreign = self.read_foreign(a.before)
        self.foreign_lines = [line for line in self.final.splitlines() if "start=" in line and "IMAGECACHE" not in line]

    def read_foreign(self, path):
        with open(path, "rb") as f:
            f.seek(self.first * self.sector)
            return f.read(self.count * self.sector)

    def build(self, writes):
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.a.before, self.image], check=True)
        with open(self.image, "r+b") as f:
            for offset, data in writes:
                f.seek(offset)
                f.write(data)

    def hash(self):
        return gpt.outside(self.image, 0, 0, self.sector)

    def kinds(self):
        """What is special about this moment."""
        with open(self.image, "rb") as f:
            mbr = f.read(self.sector)
            header = f.read(self.sector)
            f.seek(self.offset + 1024 + 56)
            ext4 = f.read(2) == b"\x53\xef"
        if header.startswith(b"EFI PART") and mbr[510:512] != b"\x55\xaa":
            yield "without its protective MBR"
        try:
            if "IMAGECACHE.new" in gpt.dump(self.image, self.sector, 1) and not ext4:
                yield "unfinished without a filesystem"
        except gpt.Bad:
            pass

    def fail(self, name, why, output):
        shutil.copy(self.image, self.a.before + ".failed")
        sys.exit(f"{name}: {why}\n{output}")

    def check_state(self, name):
        """The moment itself: one copy of the table still has the foreign entry."""
        if not self.foreign_lines:
            return
        for lba in (1, -1):
            try:
                out = gpt.dump(self.image, self.sector, lba)
            except gpt.Bad:
                continue
            if all(line in out for line in self.foreign_lines):
                return
        self.fail(name, "no copy of the table has the foreign partition", "")

    def check_success(self, name, output):
        try:
            dump = gpt.dump(self.image, self.sector)
        except gpt.Bad as bad:
            dump = str(bad)
        if dump != self.final and not self.a.unmended:
            self.fail(name, "the table is not as it should be", output + dump)
        place = f"{self.image}?offset={self.offset}"
        fsck = run(["e2fsck", "-fn", place])
        if fsck.returncode != 0:
            self.fail(name, "the filesystem is not sound", output + fsck.stdout)
        if self.a.kept:
            path, text = self.a.kept.split(":")
            if run(["debugfs", "-R", f"cat {path}", place]).stdout.strip().splitlines()[-1:] != [text]:
                self.fail(name, f"{path} is lost", output)

    def play(self, name, writes):
        self.build(writes)
        self.check_state(name)
        self.met.update(self.kinds())
        before = self.hash()
        done = run([self.image if word == "@" else word for word in self.a.command])
        if done.returncode == 0:
            self.check_success(name, done.stdout)
        elif done.returncode != 1:
            self.fail(name, f"exit status {done.returncode}", done.stdout)
        elif self.hash() != before:
            self.fail(name, "refused, and changed something", done.stdout)
        if self.read_foreign(self.image) != self.foreign:
            self.fail(name, "the foreign partition is damaged", done.stdout)
        if done.returncode == 1:
            print(f"refused: {name}: {done.stdout.strip().splitlines()[-2:]}")
        return "completed" if done.returncode == 0 else "refused"


def play(a):
    all_epochs = epochs(read_log(a.log))
    results = collections.Counter()
    large = {f"epoch {n}" for n, epoch in enumerate(all_epochs) if len(epoch) > EXHAUSTIVE}
    with tempfile.TemporaryDirectory() as directory:
        player = Player(a, directory)
        for name, writes in states(all_epochs, a.random, a.sector_size):
            results[player.play(name, writes)] += 1
            if "only the writes" in name and name.split(":")[0] in large:
                player.met["some of many writes"] += 1
        for kind, times in sorted(player.met.items()):
            print(f"met: {kind}: {times}")
    print(f"{sum(results.values())} states: {results['completed']} completed, {results['refused']} refused")


def show(a):
    for kind, offset, data in read_log(a.log):
        print(f"{kind} {offset} {len(data)}" if kind == "W" else "flush")


parser = argparse.ArgumentParser(usage=__doc__)
commands = parser.add_subparsers(required=True)
p = commands.add_parser("show")
p.add_argument("log")
p.set_defaults(run=show)
p = commands.add_parser("play")
p.add_argument("--random", type=int, default=20)
p.add_argument("--sector-size", type=int, default=512)
p.add_argument("--kept")
p.add_argument("--unmended", action="store_true")
p.add_argument("before")
p.add_argument("log")
p.add_argument("final")
p.add_argument("foreign_first", type=int)
p.add_argument("foreign_count", type=int)
p.add_argument("command", nargs=argparse.REMAINDER)
p.set_defaults(run=play)
arguments = parser.parse_args()
arguments.run(arguments)
