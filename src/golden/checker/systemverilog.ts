// SPDX-License-Identifier: Apache-2.0
// A checker as a SystemVerilog module. It keeps to what Verilator 5 and Icarus Verilog 11 both read.
import type { LayerCheck } from './checker.js';

/** The module's name: of the layer's number, as layers' names may be anything. */
function moduleName(number: number): string {
  return `lastbit_check_${String(number).padStart(3, '0')}`;
}

/** @param number of the layer */
export function systemVerilogChecker(check: LayerCheck, number: number): string {
  const { stream, bits, dtype, accumulators } = check;
  const isSigned = dtype !== 'u8';
  return `// Written by lastbit golden. Compares a layer's output with the golden vectors, number by number.
// layer   ${commented(check.layer)}
// target  ${commented(check.target)}
// stream  ${stream.axes.map(({ name, size }) => `${name} ${size}`).join(', ')}; the last runs fastest
${check.requant === '' ? '' : `// rule    ${check.requant}\n`}//
// The files expected.mem${accumulators ? ' and accumulators.mem' : ''} are read from \`LASTBIT_DIR, by default the current folder.
\`ifndef LASTBIT_DIR
\`define LASTBIT_DIR "."
\`endif

module ${moduleName(number)} (
    input  wire clk,
    input  wire valid,                       // a number of the layer's output is there
    input  wire ${isSigned ? 'signed ' : ''}[${bits - 1}:0] got,
    output reg  done,                        // all numbers came
    output reg  failed                       // stays up from the first wrong number on
);
  localparam integer COUNT = ${stream.length};

  reg signed [31:0] expected[0:COUNT-1];
${accumulators ? '  reg signed [31:0] accumulators[0:COUNT-1];\n' : ''}  integer at;
  wire signed [31:0] value = ${isSigned ? 'got' : `$signed({${32 - bits}'d0, got})`};

  initial begin
    at = 0;
    done = 0;
    failed = 0;
    $readmemh({\`LASTBIT_DIR, "/expected.mem"}, expected);
${accumulators ? '    $readmemh({`LASTBIT_DIR, "/accumulators.mem"}, accumulators);\n' : ''}  end

  // A fault is to blame only if the first number that it changes is this one, to this value.
  task name_causes;
    integer known;
    begin
      known = 0;
${check.causes.map(causeLine).join('')}      if (known == 0) $display("lastbit: no usual fault begins here with this value");
    end
  endtask

  always @(posedge clk) begin
    if (valid && !failed) begin
      if (at >= COUNT) begin
        failed <= 1;
        $display("lastbit: MORE NUMBERS than the %0d of the layer", COUNT);
      end else if (value !== expected[at]) begin
        failed <= 1;
        $display("lastbit: FIRST WRONG NUMBER, layer %s", "${escaped(check.layer)}");
        $display("lastbit: at ${format(stream.axes)}, number %0d of %0d", ${position(stream.axes)}, at, COUNT);
        $display("lastbit: expected %0d, got %0d", expected[at], value);
${accumulators ? '        $display("lastbit: accumulator %0d", accumulators[at]);\n' : ''}        name_causes;
      end else if (at == COUNT - 1) begin
        done <= 1;
        $display("lastbit: all %0d numbers as expected", COUNT);
      end
      at <= at + 1;
    end
  end
endmodule
`;
}

type Axes = LayerCheck['stream']['axes'];

function causeLine({ name, first, value }: LayerCheck['causes'][number]): string {
  return `      if (at == ${first} && value == ${value}) begin
        known = known + 1;
        $display("lastbit: likely cause: ${escaped(name)}");
      end
`;
}

function format(axes: Axes): string {
  return axes.map(({ name }) => `${name} %0d`).join(', ');
}

/** Each axis' coordinate of place \`at\`. */
function position(axes: Axes): string {
  return axes
    .map(({ size }, i) => {
      const inner = axes.slice(i + 1).reduce((product, axis) => product * axis.size, 1);
      return `(at / ${inner}) % ${size}`;
    })
    .join(', ');
}

/** Names come from files: only what a string literal may hold, and no format. */
function escaped(text: string): string {
  return text
    .replace(/[^ -~]/g, '?')
    .replace(/[\\"]/g, '_')
    .replaceAll('%', '%%')
    .slice(0, 200);
}

function commented(text: string): string {
  return text.replace(/[^ -~]/g, '?').slice(0, 200);
}
