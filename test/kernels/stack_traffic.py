# SPDX-License-Identifier: Apache-2.0
"""Fails if an inner loop of a GEMM tile touches the stack: python3 stack_traffic.py OBJECT...

g++ 12 spilled the accumulators of such loops more than once, at half the speed and with equal
results, so no other test notices. Takes objects or static libraries of x86 or arm64; needs objdump
(another one by OBJDUMP=aarch64-linux-gnu-objdump).
"""

import os
import re
import subprocess
import sys

KERNEL = re.compile(r"(gemm|pair)_tile<.*>\(")
DOT = re.compile(r"v?pmaddwd|v?pmaddubsw|vpdpbusd|\t(?:sdot|usmmla|sadalp)\t")
VECTOR_STACK = re.compile(
    r"%[xyz]mm.*\(%r[sb]p\)|\(%r[sb]p\).*%[xyz]mm|\t(?:ld|st)[rp]\t[qd]\d.*\[sp"
)
JUMP = re.compile(r"\s(?:j\w+|b(?:\.\w+)?|cbn?z\s+\w+,|tbn?z\s+\w+, #\w+,)\s+([0-9a-f]+)")


def functions(path):
    text = subprocess.run(
        [os.environ.get("OBJDUMP", "objdump"), "-dC", "--no-show-raw-insn", path],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for block in text.split("\n\n"):
        lines = block.strip().split("\n")
        head = re.match(r"[0-9a-f]+ <(.*)>:$", lines[0])
        if head and KERNEL.search(head.group(1)):
            yield head.group(1), lines[1:]


def inner_loops(lines):
    """The loops with dot products that hold no other such loop."""
    at = {}
    loops = []
    for i, line in enumerate(lines):
        address = re.match(r"\s*([0-9a-f]+):", line)
        if address:
            at[address.group(1)] = i
        jump = JUMP.search(line)
        if jump and jump.group(1) in at:
            loop = (at[jump.group(1)], i)
            if any(DOT.search(x) for x in lines[loop[0] : loop[1] + 1]):
                loops.append(loop)
    return [
        lines[begin : end + 1]
        for begin, end in loops
        if not any((b, e) != (begin, end) and b >= begin and e <= end for b, e in loops)
    ]


def main(paths):
    checked, bad = 0, []
    for path in paths:
        for name, lines in functions(path):
            for loop in inner_loops(lines):
                checked += 1
                traffic = [x.split("\t")[-1] for x in loop if VECTOR_STACK.search(x)]
                if traffic:
                    bad.append(f"{name}: {len(traffic)} vector accesses to the stack, first: {traffic[0]}")
    print("\n".join(bad))
    print(f"{checked} inner loops, {len(bad)} with vector stack traffic")
    return 1 if bad or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
