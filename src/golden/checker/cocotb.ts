// SPDX-License-Identifier: Apache-2.0
// A checker as a cocotb 2 test. Its numbers lie in check.json beside it, so that the text is the same for
// every layer.
import type { LayerCheck } from './checker.js';

/** What the test knows besides its memories. */
export function cocotbFacts(check: LayerCheck): object {
  const { layer, target, requant, dtype, bits, stream, causes, accumulators } = check;
  return {
    ...{ layer, target, requant, dtype, bits, axes: stream.axes, length: stream.length },
    ...{ hasAccumulators: accumulators !== undefined, causes },
  };
}

/** The test: no dependencies besides cocotb. */
export const cocotbTest = `# Written by lastbit golden. Compares a layer's output with the golden vectors, number by number.
"""
cocotb 2 test of one layer. The design brings one number of the layer's output with every clock at
which VALID is 1. Names of its signals: LASTBIT_CLK, LASTBIT_VALID, LASTBIT_DATA (default clk, valid,
data); LASTBIT_TIMEOUT clocks without a number end the test (default 100000). The test drives nothing
but the clock, which LASTBIT_CLOCK=0 leaves to the design.

In a test of your own: checker = LayerChecker(); checker.check(number) for each number.
"""
import json
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent


def read_memory(file):
    """Numbers of a $readmemh file of 32-bit words, signed."""
    words = [line for line in file.read_text().split("\\n") if line and not line.startswith("//")]
    return [(int(word, 16) ^ 0x80000000) - 0x80000000 for word in words]


class WrongNumber(AssertionError):
    """The first number that is not the layer's."""


class LayerChecker:
    def __init__(self, folder=HERE):
        self.facts = json.loads((Path(folder) / "check.json").read_text())
        self.expected = read_memory(Path(folder) / "expected.mem")
        self.accumulators = None
        if self.facts["hasAccumulators"]:
            self.accumulators = read_memory(Path(folder) / "accumulators.mem")
        self.at = 0

    @property
    def done(self):
        return self.at == len(self.expected)

    def position(self):
        rest, named = self.at, []
        for axis in reversed(self.facts["axes"]):
            rest, place = divmod(rest, axis["size"])
            named.append(f"{axis['name']} {place}")
        return ", ".join(reversed(named))

    def check(self, number):
        """Compares the next number. Raises WrongNumber at the first that differs."""
        if self.done:
            raise WrongNumber(f"more numbers than the {len(self.expected)} of the layer")
        expected = self.expected[self.at]
        if number != expected:
            raise WrongNumber(self.explain(number, expected))
        self.at += 1

    def explain(self, number, expected):
        lines = [
            f"first wrong number, layer {self.facts['layer']}",
            f"at {self.position()}, number {self.at} of {len(self.expected)}",
            f"expected {expected}, got {number}",
        ]
        if self.accumulators is not None:
            lines.append(f"accumulator {self.accumulators[self.at]}; {self.facts['requant']}")
        # A fault is to blame only if the first number that it changes is this one, to this value.
        causes = [
            cause["name"]
            for cause in self.facts["causes"]
            if cause["first"] == self.at and cause["value"] == number
        ]
        lines += [f"likely cause: {cause}" for cause in causes]
        if not causes:
            lines.append("no usual fault begins here with this value")
        return "\\n".join(lines)


try:
    import cocotb
    from cocotb.clock import Clock
    from cocotb.triggers import RisingEdge
except ImportError:
    cocotb = None

if cocotb is not None:

    @cocotb.test()
    async def layer_output(dut):
        signal = lambda role: getattr(dut, os.environ.get(f"LASTBIT_{role}", role.lower()))
        clk, valid, data = signal("CLK"), signal("VALID"), signal("DATA")
        if os.environ.get("LASTBIT_CLOCK", "1") != "0":
            cocotb.start_soon(Clock(clk, 10, "ns").start())
        checker = LayerChecker()
        is_signed = checker.facts["dtype"] != "u8"
        patience = int(os.environ.get("LASTBIT_TIMEOUT", "100000"))
        waited = 0
        while not checker.done:
            await RisingEdge(clk)
            waited += 1
            assert waited < patience, f"no number for {waited} clocks, {checker.at} came"
            if not valid.value.is_resolvable or int(valid.value) != 1:
                continue
            waited = 0
            value = data.value
            checker.check(value.to_signed() if is_signed else value.to_unsigned())
        dut._log.info("lastbit: all %d numbers as expected", len(checker.expected))
`;
