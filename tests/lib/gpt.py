#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Partition tables for tests, written and read without larder's code or libfdisk.

gpt.py make FILE SIZE [option]… [SLOT:FIRST:COUNT:NAME]…   a sparse file with a table; partitions are filled with a pattern
    --sector-size N     bytes (512)
    --slots N           entries in the table (128)
    --slot-bytes N      of each (128); dump and outside know no others
    --entries N         sector where the primary copy has them (2)
    --mbr-sectors N     what the protective MBR says (the whole disk)
    --backup WHERE      end, none, damaged, or a number: the disk had that many sectors when the table was made
    --other N           where the primary header says that the backup is (where it is)
    --last-usable N     sector (the last but the backup)
    --put OFFSET:TEXT   bytes at a place
gpt.py dump FILE [--sector-size N]      as sfdisk --dump prints it, without the device's name; both copies are checked
    --copy LBA          only the entries of the copy at that sector; -1 is the last
gpt.py outside FILE FIRST COUNT [--sector-size N]  a hash of every byte but the tables at the ends and these sectors;
                                        COUNT 0: of every byte
"""
import argparse
import hashlib
import os
import struct
import sys
import uuid
import zlib

LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
DISK = uuid.UUID("aaaaaaaa-1111-4222-8333-bbbbbbbbbbbb")
HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
ENTRY = struct.Struct("<16s16sQQQ72s")


def units(text):
    return int(text[:-1]) << {"K": 10, "M": 20, "G": 30}[text[-1]] if text[-1] in "KMG" else int(text)


def header(a, lba, other, entries_lba, entries, last_usable):
    fields = [b"EFI PART", 0x10000, 92, 0, 0, lba, other, a.entries + a.entry_sectors, last_usable, DISK.bytes_le, entries_lba,
              a.slots, a.slot_bytes, zlib.crc32(entries)]
    fields[3] = zlib.crc32(HEADER.pack(*fields))
    return HEADER.pack(*fields)


def make(a):
    size, sector = units(a.size), a.sector_size
    a.entry_sectors = (a.slots * a.slot_bytes + sector - 1) // sector
    sectors = size // sector
    at_make = int(a.backup) if a.backup.isdigit() else sectors
    entries = bytearray(a.slots * a.slot_bytes)
    with open(a.file, "wb") as f:
        f.truncate(size)
        for text in a.partitions:
            slot, first, count, name = text.split(":")
            first, count = int(first), int(count)
            number = uuid.UUID(int=0xCCCCCCCC000040008000 << 48 | int(slot))
            ENTRY.pack_into(entries, (int(slot) - 1) * a.slot_bytes, LINUX.bytes_le, number.bytes_le, first, first + count - 1,
                            int(slot) << 56 if int(slot) > 10 else 0, name.encode("utf-16-le"))
            for at in range(first, first + count, max(1, count // 64)):  # some of it is enough
                f.seek(at * sector)
                f.write(hashlib.sha256(f"{slot} {at}".encode()).digest() * 4)
        entries = bytes(entries)
        last_usable = a.last_usable or at_make - 2 - a.entry_sectors
        mbr = bytearray(512)
        struct.pack_into("<BBBBBBBBII", mbr, 446, 0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, a.mbr_sectors or sectors - 1)
        mbr[510:] = b"\x55\xaa"
        f.seek(0)
        f.write(mbr)
        f.seek(sector)
        f.write(header(a, 1, a.other or at_make - 1, a.entries, entries, last_usable))
        f.seek(a.entries * sector)
        f.write(entries)
        if a.backup != "none":
            f.seek((at_make - 1 - a.entry_sectors) * sector)
            f.write(b"X" * 128 + entries[128:] if a.backup == "damaged" else entries)
            f.seek((at_make - 1) * sector)
            f.write(header(a, at_make - 1, 1, at_make - 1 - a.entry_sectors, entries, last_usable))
        for text in a.put:
            offset, _, data = text.partition(":")
            f.seek(units(offset))
            f.write(data.encode().decode("unicode_escape").encode("latin-1"))


class Bad(Exception):
    pass


def read_copy(f, sector, lba):
    f.seek(lba * sector)
    raw = f.read(sector)
    fields = list(HEADER.unpack(raw[:92]))
    if fields[0] != b"EFI PART" or fields[5] != lba:
        raise Bad(f"no GPT header at sector {lba}")
    crc, fields[3] = fields[3], 0
    if zlib.crc32(HEADER.pack(*fields)) != crc:
        raise Bad(f"the header at sector {lba} has a wrong checksum")
    f.seek(fields[10] * sector)
    entries = f.read(fields[11] * fields[12])
    if zlib.crc32(entries) != fields[13]:
        raise Bad(f"the entries of the header at sector {lba} have a wrong checksum")
    return fields, entries


def entry_lines(header, entries):
    text = ""
    for slot in range(header[11]):
        kind, number, first, last, attributes, name = ENTRY.unpack_from(entries, slot * 128)
        if kind == bytes(16):
            continue
        label = name.decode("utf-16-le").split("\0")[0]
        text += f"{slot + 1} : start={first:12}, size={last - first + 1:12}, type={str(uuid.UUID(bytes_le=kind)).upper()}, " \
                f"uuid={str(uuid.UUID(bytes_le=number)).upper()}, name=\"{label}\"" \
                + (f", attrs={attributes:#x}" if attributes else "") + "\n"
    return text


def dump(path, sector, copy=None):
    with open(path, "rb") as f:
        sectors = f.seek(0, 2) // sector
        if copy:
            return entry_lines(*read_copy(f, sector, copy % sectors))
        primary, entries = read_copy(f, sector, 1)
        if primary[6] != sectors - 1:
            raise Bad(f"the backup is at sector {primary[6]}, not at the end")
        backup, others = read_copy(f, sector, sectors - 1)
        if entries != others or backup[7:10] != primary[7:10]:
            raise Bad("the copies differ")
        f.seek(446)
        record = struct.unpack("<BBBBBBBBII", f.read(16))
    return f"label: gpt\nlabel-id: {str(uuid.UUID(bytes_le=primary[9])).upper()}\nunit: sectors\nfirst-lba: {primary[7]}\n" \
           f"last-lba: {primary[8]}\nsector-size: {sector}\n# protective MBR: {record[9]} sectors from {record[8]}\n\n" \
           + entry_lines(primary, entries)


def blocks(f):
    """(offset, bytes) of every block of 4096 that is not zero; holes are not read."""
    end, at = f.seek(0, 2), 0
    while at < end:
        try:
            at = os.lseek(f.fileno(), at, os.SEEK_DATA) // 4096 * 4096
            hole = os.lseek(f.fileno(), at, os.SEEK_HOLE)
        except OSError:
            return
        for offset in range(at, hole, 4096):
            data = os.pread(f.fileno(), 4096, offset)
            if any(data):
                yield offset, data
        at = max(hole, at + 4096)


def outside(path, first, count, sector):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        end = f.seek(0, 2)
        ends = (2 + 128 * 128 // sector) * sector
        holes = [(0, ends), (end - ends, end), (first * sector, (first + count) * sector)]
        for offset, data in blocks(f):
            data = bytearray(data)
            for start, stop in holes if count else ():
                start, stop = max(start - offset, 0), min(stop - offset, 4096)
                if start < stop:
                    data[start:stop] = bytes(stop - start)
            if any(data):
                digest.update(offset.to_bytes(8, "big") + data)
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    commands = parser.add_subparsers(required=True)
    p = commands.add_parser("make")
    p.add_argument("file")
    p.add_argument("size")
    p.add_argument("partitions", nargs="*")
    p.add_argument("--slots", type=int, default=128)
    p.add_argument("--slot-bytes", type=int, default=128)
    p.add_argument("--entries", type=int, default=2)
    p.add_argument("--mbr-sectors", type=int)
    p.add_argument("--backup", default="end")
    p.add_argument("--other", type=int)
    p.add_argument("--last-usable", type=int)
    p.add_argument("--put", action="append", default=[])
    p.set_defaults(run=make)
    p = commands.add_parser("dump")
    p.add_argument("--copy", type=int)
    p.add_argument("file")
    p.set_defaults(run=lambda a: print(dump(a.file, a.sector_size, a.copy), end=""))
    p = commands.add_parser("outside")
    p.add_argument("file")
    p.add_argument("first", type=int)
    p.add_argument("count", type=int)
    p.set_defaults(run=lambda a: print(outside(a.file, a.first, a.count, a.sector_size)))
    for p in commands.choices.values():
        p.add_argument("--sector-size", type=int, default=512)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except Bad as bad:
        sys.exit(str(bad))


if __name__ == "__main__":
    main()
