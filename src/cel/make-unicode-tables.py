#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# Writes src/cel/unicode_tables.c from the Unicode character database (Debian: unicode-data), for \p{…} and (?i).
#   src/cel/make-unicode-tables.py /usr/share/unicode >src/cel/unicode_tables.c
import os
import re
import sys

CATEGORIES = ["Cc", "Cf", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd", "Nl", "No", "Pc", "Pd",
              "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"]
POINTS = 0x110000


def lines(directory, name):
    for line in open(os.path.join(directory, name), encoding="utf-8"):
        line = line.split("#")[0].strip()
        if line:
            yield [field.strip() for field in line.split(";")]


def categories(directory):
    of = [len(CATEGORIES)] * POINTS
    first = None
    for fields in lines(directory, "UnicodeData.txt"):
        point, name, category = int(fields[0], 16), fields[1], fields[2]
        start = point if first is None else first
        first = point if name.endswith(", First>") else None
        for p in range(start, point + 1):
            of[p] = CATEGORIES.index(category)
    return of


def scripts(directory):
    rows = [(f[0], f[1]) for f in lines(directory, "Scripts.txt")]
    names = sorted({name for _, name in rows})
    of = [len(names)] * POINTS
    for points, name in rows:
        low, _, high = points.partition("..")
        for p in range(int(low, 16), int(high or low, 16) + 1):
            of[p] = names.index(name)
    return names, of


def runs(of):
    last = None
    for point, value in enumerate(of):
        if value != last:
            yield point << 8 | value
            last = value


def orbits(directory):
    folded = {}
    for fields in lines(directory, "CaseFolding.txt"):
        if fields[1] in "CS":
            point, to = int(fields[0], 16), int(fields[2], 16)
            folded.setdefault(to, {to}).add(point)
    for members in folded.values():
        ring = sorted(members)
        for here, there in zip(ring, ring[1:] + ring[:1]):
            yield here, there


def array(kind, name, values, width):
    print(f"const {kind} {name}[] = {{")
    for i in range(0, len(values), width):
        print("\t" + " ".join(v + "," for v in values[i:i + width]))
    print("};")
    print(f"const size_t {name}_n = sizeof({name}) / sizeof({name}[0]);\n")


def main():
    directory = sys.argv[1]
    version = re.search(r"-([0-9.]+)\.txt", open(os.path.join(directory, "Scripts.txt"), encoding="utf-8").readline()).group(1)
    names, script_of = scripts(directory)
    print("/* SPDX-License-Identifier: LGPL-2.1-or-later */")
    print(f"/* Made by make-unicode-tables.py from Unicode {version}; do not edit. */")
    print("/* clang-format off */")
    print('#include "cel/unicode_tables.h"\n')
    array("char *const", "unicode_category_names", [f'"{c}"' for c in CATEGORIES], 14)
    array("char *const", "unicode_script_names", [f'"{n}"' for n in names], 5)
    array("uint32_t", "unicode_category_runs", [hex(r) for r in runs(categories(directory))], 11)
    array("uint32_t", "unicode_script_runs", [hex(r) for r in runs(script_of)], 11)
    array("uint32_t", "unicode_folds", [f"{hex(a)}, {hex(b)}" for a, b in sorted(orbits(directory))], 6)


main()
