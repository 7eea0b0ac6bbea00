// SPDX-License-Identifier: Apache-2.0
// From a sum to a code, for the designs of this folder. +rule=N takes another rounding rule than the
// layer's; +fault=N plants another mistake. Numbers of rules as in src/program/NOTES.md.
integer planted_rule;
integer fault;

localparam integer FAULT_ZERO_POINT_OUT = 1;
localparam integer FAULT_CLAMP = 2;
localparam integer FAULT_WRAP = 3;
localparam integer FAULT_PAD = 4;
localparam integer FAULT_LAYOUT = 5;
localparam integer FAULT_ZERO_POINT_IN = 6;
localparam integer FAULT_BIAS = 7;
localparam integer FAULT_SHIFT_LESS = 8;
localparam integer FAULT_SHIFT_MORE = 9;
localparam integer FAULT_CHANNEL_0 = 10;
localparam integer FAULT_SUM_WRAPS = 11;
localparam integer FAULT_SUM_SATURATES = 12;

initial begin
  planted_rule = RULE;
  fault = 0;
  if ($value$plusargs("rule=%d", planted_rule)) $display("planted rule %0d", planted_rule);
  if ($value$plusargs("fault=%d", fault)) $display("planted fault %0d", fault);
end

// x / 2^n, one rounding by a plain rule.
function automatic signed [63:0] round_shift(input signed [63:0] x, input integer n, input integer rule);
  reg signed [63:0] one, half, down, rest;
  begin
    one = 64'sd1 <<< n;
    half = one >>> 1;
    down = x >>> n;
    rest = x - (down <<< n);
    round_shift = down;
    case (rule)
      0: round_shift = down;
      1: if (rest != 0) round_shift = down + 1;
      2: if (rest != 0 && x < 0) round_shift = down + 1;
      3: if (rest >= half) round_shift = down + 1;
      4: if (rest > half) round_shift = down + 1;
      5: if (rest > half || (rest == half && x >= 0)) round_shift = down + 1;
      6: if (rest > half || (rest == half && x < 0)) round_shift = down + 1;
      7: if (rest > half || (rest == half && down[0])) round_shift = down + 1;
      8: if (rest > half || (rest == half && !down[0])) round_shift = down + 1;
      default: round_shift = down;
    endcase
  end
endfunction

// (sum * m) / 2^s by any rule; 9 and 10 round at bit 31 and then again.
function automatic signed [63:0] scaled(input signed [63:0] sum, input signed [63:0] m, input integer s,
                                        input integer rule);
  begin
    if (rule < 9) scaled = round_shift(sum * m, s, rule);
    else if (s <= 31) scaled = round_shift(sum * m, s, 3);
    else scaled = round_shift(round_shift(sum * m, 31, 3), s - 31, rule == 9 ? 5 : 3);
  end
endfunction

function automatic signed [7:0] finish(input signed [63:0] whole, input signed [63:0] m, input integer s);
  reg signed [63:0] sum, code;
  integer shift;
  begin
    sum = whole;
    if (fault == FAULT_SUM_WRAPS) sum = {{48{whole[15]}}, whole[15:0]};
    if (fault == FAULT_SUM_SATURATES) sum = whole > 32767 ? 32767 : whole < -32768 ? -32768 : whole;
    shift = s;
    if (fault == FAULT_SHIFT_LESS) shift = s - 1;
    if (fault == FAULT_SHIFT_MORE) shift = s + 1;
    code = scaled(sum, m, shift, planted_rule);
    if (fault != FAULT_ZERO_POINT_OUT) code = code + ZERO_OUT;
    if (fault == FAULT_CLAMP) code = code > 127 ? 127 : code < -128 ? -128 : code;
    else if (fault != FAULT_WRAP) code = code > MAX ? MAX : code < MIN ? MIN : code;
    finish = code[7:0];
  end
endfunction
