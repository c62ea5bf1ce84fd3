# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disk images with random partition tables, sound and odd, for tests/fuzz/tables.py. All that is random comes from the caller's rng."""
import os
import random
import shutil
import struct
import subprocess
import uuid
import zlib

import gpt

MIB = 1 << 20
OURS, UNFINISHED = "IMAGECACHE", "IMAGECACHE.new"
ODD_NUMBERS = (0, 1, 2, 3, 33, 34, 127, 128, 129, 0x7FFFFFFF, 0xFFFFFFFF)
# Index of a header's field, and its bits, as gpt.HEADER has them; those after the signature.
FIELD_BITS = {1: 32, 2: 32, 3: 32, 4: 32, 5: 64, 6: 64, 7: 64, 8: 64, 10: 64, 11: 32, 12: 32, 13: 32}
FAT_BOOT = b"\xeb\x3c\x90mkfs.fat\x00\x02\x04\x01\x00\x02\x00\x02\x00\x00\xf8\x10\x00\x20\x00\x40\x00"


def chance(rng, percent):
    return rng.randrange(100) < percent


class RandomDisk:
    """Makes the image at path. words: what is special about it; plain: nothing on it is odd, and what is free is zero."""

    def __init__(self, rng, path):
        self.rng, self.path = rng, path
        self.words, self.plain, self.tree = [], True, None
        self.sane = chance(rng, 50)
        self.sector = rng.choice((512, 512, 4096))
        self.size = self.random_size()
        self.sectors = self.size // self.sector
        with open(path, "wb") as f:
            f.truncate(self.size)
        with open(path, "r+b") as self.f:
            kind = rng.choices((self.blank, self.scattered, self.protective_only, self.table), (12, 5, 3, 80))[0]
            if self.size < 64 * 1024:
                kind = self.blank
            kind()
        if self.tree:
            shutil.rmtree(self.tree)

    def odd(self, text):
        self.words.append(text)
        self.plain = False

    def oddly(self, percent):
        return chance(self.rng, percent) and not self.sane

    def random_size(self):
        rng = self.rng
        size = rng.choices((lambda: rng.randrange(6 * MIB), lambda: rng.randrange(20, 90) * MIB, lambda: rng.randrange(90, 700) * MIB,
                            lambda: rng.randrange(1, 6) << 30), (5, 65, 25, 5))[0]()
        if self.oddly(10):
            size += rng.randrange(MIB)
        if size % self.sector:
            self.odd("ends within a sector")
        return size

    def put(self, offset, data):
        self.f.seek(max(0, min(offset, self.size - len(data))))
        self.f.write(data)

    # --- what is no table

    def blank(self):
        self.words.append("blank")

    def scattered(self):
        self.odd("data and no table")
        for _ in range(self.rng.randrange(1, 4)):
            self.put(self.rng.choice((0, self.size, self.rng.randrange(self.size))), self.rng.randbytes(self.rng.randrange(1, 5000)))

    def protective_only(self):
        self.odd("a protective MBR alone")
        self.write_mbr()

    def write_mbr(self):
        rng, mbr = self.rng, bytearray(512)
        sectors = min(self.sectors - 1, 0xFFFFFFFF)
        records = [[0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, sectors]]
        if chance(rng, 15):
            records[0][9] = rng.choice((0, 1, 7, sectors // 2, 0xFFFFFFFF))
        if chance(rng, 15):
            mbr[:440] = rng.randbytes(440)
        if self.oddly(3):
            self.odd("hybrid MBR")
            records.append([0, 0, 0, 0, 0x83, 0, 0, 0, 2048, 4096])
        if self.oddly(2):
            self.odd("odd MBR")
            records[0][rng.choice((4, 8))] = rng.choice((0, 2, 0x83))
        for at, record in enumerate(records):
            struct.pack_into("<BBBBBBBBII", mbr, 446 + 16 * at, *record)
        if not self.oddly(3):
            mbr[510:] = b"\x55\xaa"
        else:
            self.odd("no MBR signature")
        self.put(0, bytes(mbr))

    # --- a GPT

    def table(self):
        rng = self.rng
        self.slots, self.slot_bytes = 128, 128
        if self.oddly(15):
            self.slots = rng.choice((1, 2, 4, 8, 16, 31, 100, 130, 256, 1024, 1025))
        if self.oddly(5):
            self.slot_bytes = rng.choice((256, 512, 136, 64, 4096))
        if (self.slots, self.slot_bytes) != (128, 128):
            self.odd(f"{self.slots} entries of {self.slot_bytes}")
        self.entry_sectors = -(-self.slots * self.slot_bytes // self.sector)
        self.made_for = self.sectors
        if self.oddly(12):
            self.made_for = max(100, self.sectors + rng.choice((-1, 1)) * rng.randrange(1, self.sectors // 2 + 2))
            self.odd(f"made for a disk of {self.made_for} sectors")
        self.entries_lba = 2
        if self.oddly(5):
            self.entries_lba = rng.randrange(2, 2048)
            self.odd(f"entries at sector {self.entries_lba}")
        self.first_usable = self.entries_lba + self.entry_sectors
        self.last_usable = self.made_for - 2 - self.entry_sectors
        if self.oddly(10):
            self.first_usable += rng.randrange(4096)
            self.last_usable -= rng.randrange(4096)
            self.odd(f"usable are sectors {self.first_usable} to {self.last_usable}")
        if self.first_usable + 2 > self.last_usable:
            self.scattered()
            return
        self.entries = {}
        self.lay_out()
        self.fill()
        self.bend_entries()
        self.write_mbr()
        self.write_copies()
        self.clutter()

    def lay_out(self):
        rng = self.rng
        n = rng.choices((0, rng.randrange(1, 7), rng.randrange(1, 129)), (10, 80, 10))[0]
        grain = rng.choice((MIB, MIB, 4096, self.sector)) // self.sector or 1
        last = self.last_usable + 1
        points = sorted({p // grain * grain or grain for p in (rng.randrange(self.first_usable, last) for _ in range(2 * n))})
        points = [p for p in points if p >= self.first_usable]
        numbers = rng.sample(range(1, self.slots + 1), min(self.slots, len(points) // 2)) if chance(rng, 50) else range(1, self.slots + 1)
        for slot, first, end in zip(numbers, points[::2], points[1::2]):
            self.add(slot, first, end - first, rng.choice(("", "root", "EFI system", "grüße", "x" * 36, "IMAGECACHE2", "imagecache")))
        for slot in sorted(self.entries):  # some touch their neighbour
            entry = self.entries[slot]
            after = [e[2] for e in self.entries.values() if e[2] > entry[3]]
            if chance(rng, 30):
                entry[3] = min(after, default=last) - 1
        self.name_ours()

    def add(self, slot, first, count, name):
        rng = self.rng
        self.entries[slot] = [gpt.LINUX.bytes_le, rng.randbytes(16), first, first + count - 1, rng.choice((0, 0, 0, 1 << 63, rng.getrandbits(64))),
                              name.encode("utf-16-le")]

    def name_ours(self):
        rng = self.rng
        if not self.entries or not chance(rng, 50):
            return
        by_size = sorted(self.entries.values(), key=lambda e: e[3] - e[2], reverse=True)
        for entry in by_size[:1] if chance(rng, 75) else rng.sample(by_size, min(2 if chance(rng, 20) else 1, len(by_size))):
            entry[4] &= ~(1 << 60)
            entry[5] = rng.choice((OURS, OURS, OURS, UNFINISHED)).encode("utf-16-le")

    def fill(self):
        """Marks the foreign partitions, and puts something into ours."""
        for entry in self.entries.values():
            first, end = entry[2] * self.sector, min((entry[3] + 1) * self.sector, self.size)
            if entry[5].decode("utf-16-le") in (OURS, UNFINISHED):
                self.rng.choices((self.ext4, self.ext4, self.noise, lambda *_: self.words.append("ours is empty")), (60, 20, 10, 10))[0](first, end)
            elif first < end:
                for at in (first, (first + end) // 2, end - 1):
                    data = self.rng.randbytes(min(self.rng.choice((1, 512, 5000)), end - first))
                    self.put(min(at, end - len(data)), data)

    def noise(self, first, end):
        self.odd("ours has foreign content")
        if first < end:
            self.put(first, self.rng.randbytes(min(5000, end - first)))
        if chance(self.rng, 50) and end - first > 8192:
            self.put(first + 4086, b"SWAPSPACE2")

    def ext4(self, first, end):
        rng, size = self.rng, end - first
        if size < 2 * MIB:
            return
        if chance(rng, 30):
            size = rng.randrange(size // 2, size)
            self.words.append("an ext4 smaller than its partition")
        elif self.oddly(3):
            size += rng.randrange(MIB, 8 * MIB)
            self.odd("an ext4 larger than its partition")
        if first + size > self.size:
            return
        command = ["mkfs.ext4", "-q", "-F", "-L", rng.choice((OURS, OURS, "", "other")), "-E", f"offset={first},nodiscard,root_owner=0:0"]
        if chance(rng, 20):
            command += ["-O", rng.choice(("^has_journal", "^64bit", "^metadata_csum", "^resize_inode"))]
        if not self.tree and chance(rng, 50):
            self.tree = self.path + ".tree"
            make_tree(random.Random(rng.random()), self.tree)
            command += ["-d", self.tree]
        self.f.flush()
        made = subprocess.run(command + [self.path, f"{size // 1024}k"], capture_output=True, check=False)
        self.words.append(f"ext4 of {size // 1024} KiB" + (", with files" if self.tree else "") + (" (mkfs failed)" if made.returncode else ""))
        if self.oddly(8):
            self.odd("a damaged ext4")
            self.put(first + rng.randrange(1024, size), rng.randbytes(512))

    def bend_entries(self):
        rng = self.rng
        if not self.entries or not self.oddly(12):
            return
        slot = rng.choice(sorted(self.entries))
        entry = self.entries[slot]
        how = rng.randrange(6)
        if how == 0:
            entry[3] = entry[3] + rng.randrange(1, self.sectors)
        elif how == 1:
            entry[2] = rng.choice((0, 1, 2, max(0, entry[2] - rng.randrange(1, 5000)), entry[3] + 1, (1 << 64) - 1))
        elif how == 2:
            entry[3] = rng.choice((0, entry[2], self.sectors, (1 << 63) // self.sector - 1, (1 << 64) - 1))
        elif how == 3:
            entry[5] = rng.randbytes(72)
        elif how == 4:
            entry[0] = rng.choice((rng.randbytes(16), uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").bytes_le))
        else:
            entry[1] = bytes(16)
        self.odd(f"entry {slot} bent, way {how}")

    def entry_bytes(self):
        data = bytearray(self.slots * self.slot_bytes)
        for slot, entry in self.entries.items():
            raw = gpt.ENTRY.pack(*entry[:5], entry[5][:72])
            at = (slot - 1) * self.slot_bytes
            data[at:at + min(128, self.slot_bytes)] = raw[:self.slot_bytes]
        return bytes(data)

    def write_copies(self):
        rng, entries = self.rng, self.entry_bytes()
        last = self.made_for - 1
        disk = gpt.DISK.bytes_le
        copies = {}
        for name, lba, other, at in (("primary", 1, last, self.entries_lba), ("backup", last, 1, last - self.entry_sectors)):
            copies[name] = [[b"EFI PART", 0x10000, 92, 0, 0, lba, other, self.first_usable, self.last_usable, disk, at,
                             self.slots, self.slot_bytes, zlib.crc32(entries)], entries, lba, at]
        if self.oddly(5):
            self.odd("no backup")
            del copies["backup"]
        bent = rng.choice(sorted(copies)) if self.oddly(20) else None
        for name, (fields, data, lba, at) in copies.items():
            mend = True
            if name == bent:
                fields, data, mend = self.bend_copy(name, list(fields), data)
            if mend:
                fields[3] = 0
                fields[3] = zlib.crc32(gpt.HEADER.pack(*fields))
            for offset, block in ((lba * self.sector, gpt.HEADER.pack(*fields)), (at * self.sector, data)):
                if offset + len(block) <= self.size:
                    self.f.seek(offset)
                    self.f.write(block)

    def bend_copy(self, name, fields, data):
        rng = self.rng
        if chance(rng, 30):
            at = rng.randrange(len(data))
            self.odd(f"{name}: byte {at} of the entries")
            data = data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1:]
            if chance(rng, 50):
                fields[13] = zlib.crc32(data)
            return fields, data, True
        field = rng.choice(sorted(FIELD_BITS))
        top = (1 << FIELD_BITS[field]) - 1
        fields[field] = rng.choice((fields[field] + 1, max(0, fields[field] - 1), rng.choice(ODD_NUMBERS), rng.randrange(self.sectors),
                                    rng.getrandbits(64), top)) & top
        mend = field != 3 and chance(rng, 70)
        self.odd(f"{name}: field {field} is {fields[field]}, checksum {'right' if mend else 'wrong'}")
        return fields, data, mend

    def clutter(self):
        """Data where nothing should be, or may be."""
        rng = self.rng
        if self.oddly(12):
            self.odd("data between the partitions")
            for _ in range(rng.randrange(1, 5)):
                at = rng.randrange(self.size)
                if not any(e[2] * self.sector - 5000 < at < (e[3] + 1) * self.sector for e in self.entries.values()):
                    self.put(at, rng.choice((rng.randbytes(rng.randrange(1, 5000)), FAT_BOOT)))
        if self.oddly(6):
            self.odd("data before the end")
            self.put(self.size - rng.randrange(1, 40) * self.sector, rng.randbytes(rng.randrange(1, self.sector)))
        gaps = [*range(2, self.entries_lba), *range(self.entries_lba + self.entry_sectors, self.first_usable)]
        if gaps and self.oddly(25):
            self.odd("data before the usable sectors")
            self.put(rng.choice(gaps) * self.sector, rng.randbytes(self.sector))


def make_tree(rng, path):
    for name in ("blob", "manifests/registry.k8s.io", "layers"):
        os.makedirs(os.path.join(path, name))
        for n in range(rng.randrange(4)):
            with open(os.path.join(path, name, str(n)), "wb") as f:
                f.write(rng.randbytes(rng.randrange(100000)))
