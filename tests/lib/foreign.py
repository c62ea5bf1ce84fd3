#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""foreign.py NAME FILE: writes a signature by hand into a file that is already as large as the disk should be.

For formats that Debian has no mkfs for, or whose mkfs wants a block device. Offsets from the end count from there. What is written is
the least by which the format is told; the sources are the formats' own descriptions. Without arguments: lists the names.
"""
import struct
import sys
import uuid
import zlib

KIB = 1024
MIB = 1024 * KIB
ID = uuid.UUID("5f0c1a52-7d2b-4d3a-9a51-0b6a6f1f2c11").bytes


def put(f, offset, data):
    f.seek(offset, 2 if offset < 0 else 0)
    f.write(data)


def magic(offset, data):
    return lambda f, size: put(f, offset, data)


def lvm2(f, size):
    body = struct.pack("<I8s32sQQQQQQ", 32, b"LVM2 001", b"a" * 32, size, MIB, 0, 0, 0, 0)
    body = body.ljust(512 - 20, b"\0")
    crc = 0xF597A6CF
    for byte in body:  # CRC-32 with LVM's own start value
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    put(f, 512, struct.pack("<8sQI", b"LABELONE", 1, crc) + body)


def md_090(f, size):
    words = [0] * 1024
    words[0], words[1], words[2] = 0xA92B4EFC, 0, 90
    words[5] = 0x11111111
    put(f, size // (64 * KIB) * 64 * KIB - 64 * KIB, struct.pack("<1024I", *words))


def md_1(minor):
    def write(f, size):
        sector = {0: (size // 512 - 16) // 8 * 8, 1: 0, 2: 8}[minor]
        block = bytearray(256)
        struct.pack_into("<II", block, 0, 0xA92B4EFC, 1)
        block[16:32] = ID
        struct.pack_into("<Q", block, 144, sector)  # super_offset
        total = sum(struct.unpack("<64I", bytes(block)))
        struct.pack_into("<I", block, 216, (total & 0xFFFFFFFF) + (total >> 32) & 0xFFFFFFFF)
        put(f, sector * 512, bytes(block))

    return write


def zfs(f, size):
    for label in (0, 256 * KIB, size - 512 * KIB, size - 256 * KIB):
        for n in range(128):
            put(f, label + 128 * KIB + n * KIB, struct.pack("<QQQQQ", 0x00BAB10C, 5000, 4 + n, 1, 1))


def isw(f, size):
    put(f, size - 1024, b"Intel Raid ISM Cfg Sig. 1.0.00".ljust(512, b"\0"))


def ddf(f, size):
    header = bytearray(512)
    struct.pack_into(">I", header, 0, 0xDE11DE11)
    header[8:32] = b"LINUX-MD".ljust(24, b"x")
    header[32:40] = b"01.02.00"
    put(f, size - 512, bytes(header))


def nvidia(f, size):
    block = bytearray(512)
    block[0:8] = b"NVIDIA  "
    struct.pack_into("<IIHB", block, 8, 30, 0, 0x0064, 0)
    block[16:46] = b"\x11" * 30
    block[12:16] = b"\0" * 4
    total = sum(struct.unpack("<30I", bytes(block[:120])))
    struct.pack_into("<I", block, 12, -total & 0xFFFFFFFF)
    put(f, size - 1024, bytes(block))


def promise(f, size):
    put(f, size - 63 * 512, b"Promise Technology, Inc.")


def adaptec(f, size):
    block = bytearray(512)
    struct.pack_into("<I", block, 0, 0x37FC4D1E)  # "DPTM" follows at its place
    block[4 * 14 : 4 * 14 + 4] = b"DPTM"
    put(f, size - 512, bytes(block))


def jmicron(f, size):
    block = bytearray(512)
    block[0:2] = b"JM"
    struct.pack_into("<H", block, 2, 1)
    total = sum(struct.unpack("<64H", bytes(block[:128])))
    struct.pack_into("<H", block, 126, 0)
    struct.pack_into("<H", block, 4, (1 - total) & 0xFFFF)
    put(f, size - 512, bytes(block))


def lsi(f, size):
    put(f, size - 512, b"$XIDE$")


def highpoint(f, size):
    block = bytearray(512)
    struct.pack_into("<I", block, 32, 0x5A7816F0)
    put(f, 9 * 512, bytes(block))


def dos(*records):
    def write(f, size):
        sector = bytearray(512)
        for n, (kind, start, count) in enumerate(records):
            struct.pack_into("<BBBBBBBBII", sector, 446 + 16 * n, 0, 0, 2, 0, kind, 0, 0, 0, start, count)
        struct.pack_into("<I", sector, 440, 0x12345678)
        sector[510:512] = b"\x55\xaa"
        put(f, 0, bytes(sector))

    return write


def bitlocker(f, size):
    sector = bytearray(512)
    sector[0:11] = b"\xeb\x58\x90-FVE-FS-"
    struct.pack_into("<Q", sector, 176, MIB)
    sector[510:512] = b"\x55\xaa"
    put(f, 0, bytes(sector))
    put(f, MIB, b"-FVE-FS-" + struct.pack("<HH", 64, 2))


def gpt_header(sectors, lba, other, entries_lba, entries):
    header = bytearray(92)
    struct.pack_into("<8sIIIIQQQQ16sQIII", header, 0, b"EFI PART", 0x10000, 92, 0, 0, lba, other, 34,
                     sectors - 34, ID, entries_lba, 128, 128, zlib.crc32(entries))
    struct.pack_into("<I", header, 16, zlib.crc32(bytes(header)))
    return bytes(header)


LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le


def gpt_entry(number, first, last, name):
    return LINUX + uuid.UUID(int=number, version=4).bytes_le + struct.pack("<QQQ", first, last, 0) + \
        name.encode("utf-16-le").ljust(72, b"\0")


def gpt(*parts, backup=None, mbr=((0xEE, 1, 0xFFFFFFFF),), damage=(), entries_at=2):
    """A table with these (first, last, name); backup: other entries there; damage: copies whose entries are broken;
    entries_at: the sector of the primary's entries."""

    def write(f, size):
        sectors = size // 512
        if mbr:
            dos(*mbr)(f, size)
        for copy, lba, other, entries_lba, its in (
            ("primary", 1, sectors - 1, entries_at, parts),
            ("backup", sectors - 1, 1, sectors - 33, parts if backup is None else backup),
        ):
            entries = b"".join(gpt_entry(n + 1, *p) for n, p in enumerate(its)).ljust(128 * 128, b"\0")
            put(f, lba * 512, gpt_header(sectors, lba, other, entries_lba, entries))
            put(f, entries_lba * 512, b"X" + entries[1:] if copy in damage else entries)

    return write


def both(*writers):
    def write(f, size):
        for w in writers:
            w(f, size)

    return write


FOREIGN = {
    "lvm1": magic(0, b"HM\x01\0" + b"\0" * 40 + ID),
    "lvm2": lvm2,
    "md-0.90": md_090,
    "md-1.0": md_1(0),
    "md-1.1": md_1(1),
    "md-1.2": md_1(2),
    "zfs": zfs,
    "isw": isw,
    "ddf": ddf,
    "nvidia": nvidia,
    "promise": promise,
    "adaptec": adaptec,
    "jmicron": jmicron,
    "lsi": lsi,
    "highpoint": highpoint,
    "dos": dos((0x83, 2048, 4096)),
    "dos-extended": dos((0x83, 2048, 4096), (0x0F, 8192, 8192)),
    "dos-esp": dos((0xEF, 2048, 4096)),
    "hfsplus": magic(KIB, b"H+\0\x04" + b"\0" * 36 + struct.pack(">II", 4096, 16384)),
    "bitlocker": bitlocker,
    "vmfs-volume": magic(MIB, struct.pack("<I", 0xC001D00D)),
    "stratis": magic(512, b"!Stra0tis\x86\xff\x02^\x41rh"),
    "bluestore": magic(0, b"bluestore block device"),
    "drbd": lambda f, size: put(f, size - 4096 + 60, struct.pack(">I", 0x8374026D)),
    "bcachefs": magic(4096 + 24, bytes.fromhex("c68573f66619a9d94e7a8d9c4bd0d1a6")),
    "snapshot": magic(0, b"SnAp\x01\0\0\0\x01\0\0\0"),
    "first-byte": magic(0, b"\x01"),
    "first-mib": magic(MIB - 1, b"\x01"),
    "last-mib": magic(-MIB, b"\x01"),
    "last-byte": magic(-1, b"\x01"),
    "boot-code": magic(0, b"\xfa\x31\xc0" + b"\0" * 507 + b"\x55\xaa"),
    "hybrid": gpt((2048, 4095, "a"), mbr=((0xEE, 1, 2047), (0x83, 2048, 2048))),
    "gpt-no-mbr": gpt((2048, 4095, "a"), mbr=None),
    "gpt-no-mbr-empty": gpt(mbr=None),
    "gpt-no-mbr-two": gpt((2048, 4095, "IMAGECACHE.new"), (4096, 8191, "a"), mbr=None),
    "gpt-odd-mbr": gpt((2048, 4095, "a"), mbr=((0xEE, 63, 1000),)),
    "gpt-both-damaged": gpt((2048, 4095, "a"), damage=("primary", "backup")),
    "gpt-primary-damaged": gpt((2048, 4095, "a"), damage=("primary",)),
    "gpt-copies-differ": gpt((2048, 4095, "a"), backup=((2048, 8191, "a"),)),
    "gpt-overlap": gpt((2048, 4095, "a"), (4095, 8191, "b")),
    "gpt-beyond": gpt((2048, 1 << 40, "a")),
    "gpt-outside": gpt((2, 40, "a")),
    "gpt-backwards": gpt((4096, 2048, "a")),
    "gpt-entries-inside": gpt((2048, 4095, "a"), entries_at=3000),
    "gpt-entries-free": gpt((4096, 8191, "a"), entries_at=2048),
    "gpt-only-mbr": dos((0xEE, 1, 0xFFFFFFFF)),
    "gpt-and-raid": both(gpt((2048, 4095, "a")), isw),
    "two-volumes": gpt((2048, 40959, "IMAGECACHE"), (40960, 81919, "IMAGECACHE")),
}

if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("\n".join(FOREIGN))
        sys.exit(0)
    with open(sys.argv[2], "r+b") as image:
        image.seek(0, 2)
        FOREIGN[sys.argv[1]](image, image.tell())
