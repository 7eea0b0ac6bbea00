// SPDX-License-Identifier: Apache-2.0
// A depthwise int8 convolution, 3 x 3, stride 1, a border of one pixel, one tap a cycle.
`ifndef LAYER_DIR
`define LAYER_DIR "."
`endif

module layer_unit (
    input  wire              clk,
    output reg               valid,
    output reg signed [7:0]  data
);
  parameter integer HEIGHT = 6;
  parameter integer WIDTH = 5;
  parameter integer CHANNELS = 12;
  parameter integer ZERO_IN = 5;
  parameter integer ZERO_OUT = -4;
  parameter integer MIN = -100;
  parameter integer MAX = 90;
  parameter integer RULE = 5;
`include "requant.svh"

  localparam integer PIXELS = HEIGHT * WIDTH;
  reg signed [7:0] x[0:PIXELS*CHANNELS-1];
  reg signed [7:0] w[0:9*CHANNELS-1];
  reg signed [31:0] bias[0:CHANNELS-1];
  reg signed [31:0] multipliers[0:CHANNELS-1];
  reg [7:0] shifts[0:CHANNELS-1];

  initial begin
    $readmemh({`LAYER_DIR, "/input.mem"}, x);
    $readmemh({`LAYER_DIR, "/weights.mem"}, w);
    $readmemh({`LAYER_DIR, "/bias.mem"}, bias);
    $readmemh({`LAYER_DIR, "/multipliers.mem"}, multipliers);
    $readmemh({`LAYER_DIR, "/shifts.mem"}, shifts);
  end

  integer sent, tap, place, channel, row, column, o;
  reg signed [31:0] sum, code;
  initial begin
    sent = 0;
    tap = 0;
    valid = 0;
    sum = 0;
  end

  always @(posedge clk) begin
    valid <= 0;
    if (sent < PIXELS * CHANNELS) begin
      place = fault == FAULT_LAYOUT ? sent % PIXELS : sent / CHANNELS;
      channel = fault == FAULT_LAYOUT ? sent / PIXELS : sent % CHANNELS;
      row = place / WIDTH + tap / 3 - 1;
      column = place % WIDTH + tap % 3 - 1;
      if (row < 0 || row >= HEIGHT || column < 0 || column >= WIDTH)
        code = fault == FAULT_PAD ? 0 : ZERO_IN;
      else code = x[(row*WIDTH+column)*CHANNELS+channel];
      if (fault != FAULT_ZERO_POINT_IN) code = code - ZERO_IN;
      // One after the other: the sum is finished in the cycle of its last tap.
      if (tap == 0) sum = fault == FAULT_BIAS ? 0 : bias[channel];
      sum = sum + code * w[channel*9+tap];
      if (tap == 8) begin
        o = fault == FAULT_CHANNEL_0 ? 0 : channel;
        valid <= 1;
        data <= finish(sum, multipliers[o], shifts[o]);
        sent <= sent + 1;
        tap <= 0;
      end else tap <= tap + 1;
    end
  end
endmodule
