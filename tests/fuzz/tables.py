#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tables.py [--seconds N | --cases N] [--seed N] [--keep]: random disk images (tests/lib/random_disk.py) through larder volume.

Each case makes an image and a machine config, and runs plan, status, provision (at times killed in the middle, or on a filesystem that
is full; then again), provision, status and wipe on it. After each step it holds that

    no byte has changed but in the table's own sectors and in the volume that the plan named, and no foreign entry has;
    what was refused has changed nothing, and neither has a second provision;
    provision does and says what plan said, also where it fails, and the sizes are those that the config means;
    the table is sound, the volume has a sound ext4 of its size, and what was in it is still there.

Case n has the seed --seed + n. The first one that fails ends the run: its seed is said, and "--seed THAT --cases 1" runs it again;
--keep leaves the image of before and the one that failed where the run was started. What fills a filesystem needs root.
"""
import argparse
import filecmp
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import gpt  # noqa: E402
from random_disk import MIB, OURS, UNFINISHED, RandomDisk, chance  # noqa: E402

LEAST = 16 * MIB
LAST_GROUP = 4 * MIB  # a group of blocks at the end that is too small for its own tables is left out
KILL_CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,fallocate,rename"


class Failed(Exception):
    pass


def demand(truth, why):
    if not truth:
        raise Failed(why)


def run(argv, **options):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                          timeout=300, check=False, **options)


class Copy:
    """One valid copy of a table; entries: slot → its 128 bytes, of those in use."""

    def __init__(self, f, sector, lba):
        f.seek(lba * sector)
        raw = f.read(sector)
        self.fields = list(gpt.HEADER.unpack(raw[:92]))
        size, crc = self.fields[2:4]
        self.lba, self.at, self.slots, self.slot_bytes = lba, self.fields[10], self.fields[11], self.fields[12]
        f.seek(min(self.at, 1 << 30) * sector)
        data = f.read(self.slots * self.slot_bytes if self.slots <= 1024 and self.slot_bytes <= 4096 else 0)
        if self.fields[0] != b"EFI PART" or not 92 <= size <= sector or self.fields[5] != lba or self.slot_bytes < 128 or not data or \
                zlib.crc32(raw[:16] + bytes(4) + raw[20:size]) != crc or zlib.crc32(data) != self.fields[13]:
            raise gpt.Bad(f"no GPT at sector {lba}")
        slots = ((slot + 1, data[slot * self.slot_bytes:][:128]) for slot in range(self.slots))
        self.entries = {slot: raw for slot, raw in slots if any(raw[:16])}

    def foreign(self):
        return {slot: raw for slot, raw in self.entries.items() if name_of(raw) not in (OURS, UNFINISHED)}

    def ours(self):
        return sorted(self.place(slot) for slot, raw in self.entries.items() if name_of(raw) in (OURS, UNFINISHED))

    def place(self, slot):
        return struct.unpack("<QQ", self.entries[slot][32:48])


def name_of(raw):
    return raw[56:].decode("utf-16-le", errors="replace").split("\0")[0]


class Image:
    """What the bytes of an image say; read without larder's code."""

    def __init__(self, path, sector):
        self.path, self.sector = path, sector
        with open(path, "rb") as f:
            self.size = f.seek(0, 2)
            self.sectors = self.size // sector
            self.primary, self.backup = self.copy(f, 1), self.copy(f, self.sectors - 1)
            moved = self.primary and not self.backup and self.copy(f, self.primary.fields[6])
        self.copies = [c for c in (self.primary, self.backup, moved) if c]

    def copy(self, f, lba):
        try:
            return Copy(f, self.sector, lba) if 0 < lba < self.sectors else None
        except (gpt.Bad, struct.error):
            return None

    def table_sectors(self):
        """Byte ranges that a change of the table may write."""
        count = (self.copies[0].slots if self.copies else 128) * 128
        last, sector = self.sectors - 1, self.sector
        head = self.primary.at if self.primary else 2
        tail = self.backup.at if self.backup else last - -(-count // sector)
        return [(446 if self.copies else 0, 512), (sector, 2 * sector), (head * sector, head * sector + count),
                (last * sector, (last + 1) * sector), (tail * sector, tail * sector + count)]

    def filesystem(self, start):
        """Size in bytes of the ext4 there; 0: none."""
        with open(self.path, "rb") as f:
            f.seek(start + 1024)
            sb = f.read(1024)
        if len(sb) < 1024 or sb[0x38:0x3A] != b"\x53\xef":
            return 0
        return struct.unpack_from("<I", sb, 4)[0] << (10 + (struct.unpack_from("<I", sb, 0x18)[0] & 7))

    def sound(self, start):
        return run(["e2fsck", "-fn", f"{self.path}?offset={start}"])

    def files(self, start, directory):
        os.makedirs(directory)
        run(["debugfs", "-R", f"rdump / {directory}", f"{self.path}?offset={start}"])


def chunks_with_data(f):
    end, at = f.seek(0, 2), 0
    while at < end:
        try:
            at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            hole = os.lseek(f.fileno(), at, os.SEEK_HOLE)
        except OSError:
            return
        yield from range(at // MIB, (hole - 1) // MIB + 1)
        at = hole


def difference(before, after, allowed=()):
    """The first byte outside the allowed ranges at which the files differ; None: there is none."""
    with open(before, "rb") as a, open(after, "rb") as b:
        if a.seek(0, 2) != b.seek(0, 2):
            return min(a.seek(0, 2), b.seek(0, 2))
        for chunk in sorted({*chunks_with_data(a), *chunks_with_data(b)}):
            left, right = (bytearray(os.pread(f.fileno(), MIB, chunk * MIB)) for f in (a, b))
            if left == right:
                continue
            for start, end in allowed:
                start, end = max(start - chunk * MIB, 0), min(end - chunk * MIB, len(left))
                if start < end:
                    left[start:end] = right[start:end] = bytes(end - start)
            if left != right:
                return chunk * MIB + next(i for i, (x, y) in enumerate(zip(left, right)) if x != y)
    return None


def same_files(a, b):
    compared = filecmp.dircmp(a, b)
    if compared.left_only or compared.right_only or compared.funny_files or \
            filecmp.cmpfiles(a, b, compared.common_files, shallow=False)[0] != compared.common_files:
        return False
    return all(same_files(os.path.join(a, d), os.path.join(b, d)) for d in compared.common_dirs)


class Sizes:
    """What a config says of sizes, and what that means in a free range."""

    def __init__(self, rng):
        self.least = rng.choice((LEAST, LEAST, LEAST, rng.randrange(1, 200 * MIB)))
        kind, limit = rng.randrange(4), rng.randrange(1, 400)
        self.max, self.resolve = {
            0: (f"{limit}MiB", lambda free: limit * MIB),
            1: (f"{limit / 4}%", lambda free: free * (limit * 25) // 10000),
            2: (f"-{limit // 4}MiB", lambda free: max(0, free - limit // 4 * MIB)),
            3: (f"{limit * 1000001}", lambda free: limit * 1000001),
        }[kind]
        self.grow = chance(rng, 40)

    def config(self):
        return "apiVersion: v1alpha1\nkind: VolumeConfig\nname: IMAGECACHE\nprovisioning:\n  diskSelector: {match: \"false\"}\n" \
               f"  minSize: {self.least}\n  maxSize: \"{self.max}\"\n  grow: {str(self.grow).lower()}\n"

    def of(self, free, grain, sector):
        """Bytes; 0: too small."""
        size = min(free, self.resolve(free))
        least = max(self.least, LEAST)
        return next((n for n in (size - size % grain, size - size % sector) if n >= least), 0)


class Case:
    def __init__(self, seed, options, directory):
        self.rng = random.Random(seed)
        self.options = options
        self.image = os.path.join(directory, "disk.img")
        self.before = os.path.join(directory, "before.img")
        self.directory = directory
        self.disk = RandomDisk(self.rng, self.image)
        self.sizes = Sizes(self.rng)
        self.align = self.rng.choice((None, None, 65536, MIB, 2 * MIB, 4 * MIB))
        self.grain = max(MIB, self.align or 0)
        self.config = os.path.join(directory, "machine.yaml")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(self.sizes.config())
        self.log = []
        self.outcome = "refused"

    def words(self):
        return f"{self.disk.size} bytes, sectors of {self.disk.sector}, align {self.align}, minSize {self.sizes.least}, maxSize {self.sizes.max}, " \
               f"grow {self.sizes.grow}: {'; '.join(self.disk.words)}"

    def larder(self, word, *more, before=()):
        """(status, what it printed as JSON or None, its messages); before: a command that runs it."""
        command = [self.options.larder, "volume", word, "--config", self.config, "--image", self.image, "--sector-size", str(self.disk.sector),
                   "--output", "json", *(["--align", str(self.align)] if self.align else []), *more]
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"} if before else None  # a leak checker cannot be traced
        done = run([*before, *command], env=environment)
        self.log.append(f"{word}: {done.returncode}: {done.stdout[-1500:]}{done.stderr}")
        demand("Sanitizer" not in done.stderr and "runtime error" not in done.stderr, f"{word}: a sanitizer's report")
        if not before:
            demand(done.returncode in (0, 1, 2), f"{word}: exit status {done.returncode}")
        try:
            return done.returncode, json.loads(done.stdout), done.stderr.splitlines()
        except json.JSONDecodeError:
            return done.returncode, None, done.stderr.splitlines()

    def unchanged(self, what, other=None):
        at = difference(other or self.before, self.image)
        demand(at is None, f"{what}: byte {at} has changed")

    def keep_copy(self, name):
        path = os.path.join(self.directory, name)
        subprocess.run(["cp", "--sparse=always", self.image, path], check=True)
        return path

    # --- what must be

    def check_places(self, what, old, volume):
        """Nothing but the table and the volume has changed, and in some copy of the table there are all foreign entries."""
        at = difference(self.before, self.image, old.table_sectors() + [volume])
        demand(at is None, f"{what}: the foreign byte {at} has changed (the volume is {volume})")
        if old.copies:
            now = Image(self.image, self.disk.sector)
            demand(any(c.foreign() == old.copies[0].foreign() for c in now.copies), f"{what}: foreign entries have changed")

    def check_table(self, what, old, first, last):
        """Both copies are sound and the same; first, last: sectors of the volume; last None: there must be no volume at first any more."""
        now = Image(self.image, self.disk.sector)
        demand(now.primary and now.backup, f"{what}: a copy of the table is damaged")
        agreed = not (old.primary and old.backup and old.primary.fields[7:10] != old.backup.fields[7:10])
        demand(now.primary.entries == now.backup.entries, f"{what}: the copies differ")
        demand(now.primary.fields[7:10] == now.backup.fields[7:10] or not agreed, f"{what}: the headers of the copies differ")
        demand(now.primary.fields[6] == now.sectors - 1, f"{what}: the primary copy does not say where the backup is")
        demand(now.primary.foreign() == (old.copies[0].foreign() if old.copies else {}), f"{what}: foreign entries have changed")
        places = sorted(now.primary.place(slot) for slot in now.primary.entries)
        demand(all(a[1] < b[0] for a, b in zip(places, places[1:])), f"{what}: entries overlap")
        demand(all(now.primary.fields[7] <= first <= last <= now.primary.fields[8] for first, last in places), f"{what}: an entry is not in the usable sectors")
        others = [place for place in (old.copies[0].ours() if old.copies else []) if place[0] != first]
        expected = sorted(others + ([(first, last)] if last else []))
        demand(now.primary.ours() == expected, f"{what}: ours is at {now.primary.ours()}, not {expected}")
        if self.disk.sector == 512 and self.disk.size % 512 == 0:
            verified = run(["sfdisk", "--verify", self.image])
            demand(verified.returncode == 0, f"{what}: sfdisk --verify: {verified.stdout}{verified.stderr}")

    def check_filesystem(self, old, plan, start, size):
        now = Image(self.image, self.disk.sector)
        made = plan["action"] != "use"
        before, after = 0 if made else old.filesystem(start), now.filesystem(start)
        demand(after, "there is no ext4 in the volume")
        if not made and old.sound(start).returncode != 0:
            return
        fsck = now.sound(start)
        demand(fsck.returncode == 0, f"the filesystem is not sound: {fsck.stdout}")
        if made or self.sizes.grow and before + MIB <= size:
            demand(size - LAST_GROUP < after <= size, f"an ext4 of {after} bytes in {size}")
        else:
            demand(after == before, f"an ext4 of {after} bytes, and not of {before}")
        if not made and self.disk.tree:
            trees = [os.path.join(self.directory, name) for name in ("files-before", "files-after")]
            old.files(start, trees[0])
            now.files(start, trees[1])
            demand(same_files(*trees), "the files have changed")

    def free_ranges(self, old):
        """Aligned free ranges in bytes, as a table that is plain has them."""
        sector = self.disk.sector
        if old.copies:
            copy = old.copies[0]
            first, end, places = copy.fields[7], copy.fields[8] + 1, sorted(copy.place(slot) for slot in copy.entries)
        else:
            first, end, places = 2 + 16384 // sector, old.sectors - 1 - 16384 // sector, []
        ranges = []
        for start, stop in [*places, (end, end)]:
            low, high = -(-first * sector // self.grain) * self.grain, start * sector // self.grain * self.grain
            if low < high:
                ranges.append((low, high))
            first = max(first, stop + 1)
        return ranges

    def free_behind(self, old, end):
        first = end // self.disk.sector
        return not any(first <= old.copies[0].place(slot)[0] < first + self.grain // self.disk.sector for slot in old.copies[0].entries)

    def check_sizes(self, old, plan):
        """A plain disk: is the place the best one, by the config?"""
        if not self.disk.plain or plan is None:
            return
        sector, place = self.disk.sector, plan["partition"]
        ranges = self.free_ranges(old)
        if plan["action"] in ("none", "add", "create"):
            best = max((self.sizes.of(high - low, self.grain, sector) for low, high in ranges), default=0)
            demand((place["size"] if place else 0) == best, f"{best} bytes were possible")
        elif plan["action"] == "use" and self.sizes.grow:
            start, end = place["start"], place["start"] + place["size"]
            limit = next((high for low, high in ranges if 0 <= low - end < self.grain), end) if self.free_behind(old, end) else end
            wanted = self.sizes.of(limit - start, self.grain, sector) if limit > end else 0
            demand(place["grow_to"] == (wanted if wanted > place["size"] else 0), f"growth to {wanted} was possible")

    # --- the steps

    def try_halfway(self, old, volume):
        """A provision that may not come to its end; what it leaves is for the next."""
        how = self.rng.randrange(6)
        if how == 0:
            self.outcome = "killed"
            when = self.rng.choice((self.rng.randrange(1, 12), self.rng.randrange(1, 120)))
            self.larder("provision", "--seed", "a seed", before=["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={KILL_CALLS}",
                                                                 "-e", f"inject={KILL_CALLS}:signal=KILL:when={when}"])
        elif how == 1 and os.geteuid() == 0 and self.disk.size >= LEAST:
            self.outcome = "on a full disk"
            self.on_full_disk()
        else:
            return False
        self.check_places(self.outcome, old, volume)
        return True

    def on_full_disk(self):
        small, image = os.path.join(self.directory, "small"), self.image
        room = os.stat(image).st_blocks * 512 + self.rng.randrange(1, 3 * MIB) + 65536
        os.mkdir(small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "small", small], check=True)
        try:
            copied = subprocess.run(["cp", "--sparse=always", image, small], stderr=subprocess.DEVNULL, check=False).returncode == 0
            self.image = os.path.join(small, "disk.img")
            if copied:
                status, _, messages = self.larder("provision", "--seed", "a seed")
                demand(status == 0 or messages, "on a full disk: nothing was said")
                demand(os.listdir(small) == ["disk.img"], f"on a full disk: left behind are {os.listdir(small)}")
                subprocess.run(["cp", "--sparse=always", self.image, image], check=True)
        finally:
            self.image = image
            subprocess.run(["umount", small], check=True)
            os.rmdir(small)

    def provision(self, old, status, plan, said):
        """The one that must come to its end."""
        volume = (0, 0)
        halfway = False
        settled = plan and (plan["action"] != "finish" or not self.sizes.grow)  # one of another size than the config means grows later
        if status == 0:
            place = plan["partition"]
            volume = (place["start"], place["start"] + max(place["size"], place["grow_to"]))
            halfway = plan["steps"] and settled and self.try_halfway(old, volume)
        now, result, messages = self.larder("provision", "--seed", "a seed")
        demand(now == status, f"provision ends with {now}, plan did with {status}")
        if status != 0:
            self.unchanged("refused")
            demand(messages and (not said or messages[-1] == said[-1]), "provision and plan say different things")
            demand(plan is None or result["plan"] == plan, "provision had another plan")
            return
        self.outcome = plan["action"] if not halfway else self.outcome
        self.check_places("provision", old, volume)
        if not halfway:
            demand(result["plan"] == plan and messages == plan["steps"], "provision did not do what plan said")
            if not plan["steps"]:
                self.unchanged("a plan without steps")
        sector = self.disk.sector
        if plan["steps"] and plan["action"] != "use" or plan["partition"]["grow_to"]:
            self.check_table("provision", old, volume[0] // sector, volume[1] // sector - 1)
        self.check_filesystem(old, plan, volume[0], volume[1] - volume[0])
        if settled:
            self.second(volume)

    def second(self, volume):
        done = self.keep_copy("done.img")
        status, result, messages = self.larder("provision")
        demand(status == 0 and not messages and result["plan"]["action"] == "use", "the second provision does something")
        status, result, _ = self.larder("status")
        place = result["plan"]["partition"]
        demand(status == 0 and result["phase"] == "located" and (place["start"], place["start"] + place["size"]) == volume, "status says something else")
        self.unchanged("the second provision, or status", done)

    def wipe(self):
        self.before = self.keep_copy("before-wipe.img")
        old = Image(self.image, self.disk.sector)
        status, result, messages = self.larder("wipe", "--yes")
        if status != 0:
            demand(messages, "wipe: nothing was said")
            self.unchanged("a wipe that was refused")
            return status
        start, size = result["partition"]["start"], result["partition"]["size"]
        place = (start // self.disk.sector, (start + size) // self.disk.sector - 1)
        demand(any(place in c.ours() for c in old.copies), "wipe: what was wiped was not ours")
        self.check_places("wipe", old, (start, start + size))
        self.check_table("wipe", old, start // self.disk.sector, None)
        return status

    def play(self):
        self.before = self.keep_copy("before.img")
        old = Image(self.image, self.disk.sector)
        status, plan, said = self.larder("plan")
        self.larder("status")
        self.unchanged("plan and status")
        self.check_sizes(old, plan)
        self.provision(old, status, plan, said)
        wiped = self.wipe()
        demand(status != 0 or wiped == 0 or plan["action"] == "use", "what was provisioned cannot be wiped")


def play(seed, options):
    with tempfile.TemporaryDirectory(prefix="larder-tables.") as directory:
        case = None
        try:
            case = Case(seed, options, directory)
            case.play()
        except (Failed, subprocess.SubprocessError) as failure:
            print(f"seed {seed}: {case.words()}\n" + "\n".join(case.log))
            if options.keep:
                for path in (case.before, case.image):
                    shutil.copy(path, f"tables-{seed}-{os.path.basename(path)}")
            sys.exit(f"seed {seed}: {failure}")
        except Exception:
            print(f"seed {seed}: this program itself failed", file=sys.stderr)
            raise
        if options.verbose:
            print(f"seed {seed}: {case.outcome}: {case.words()}")
        return case.outcome


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--larder", default="larder")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1000000)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if os.geteuid() == 0 and not os.environ.get("LARDER_IN_NAMESPACES"):
        os.environ["LARDER_IN_NAMESPACES"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *sys.orig_argv])
    end, n, outcomes = time.monotonic() + options.seconds, 0, {}
    while n < options.cases if options.cases else time.monotonic() < end:
        outcome = play(options.seed + n, options)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        n += 1
    print(f"{n} disks from seed {options.seed}: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))


if __name__ == "__main__":
    main()
