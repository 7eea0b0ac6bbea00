// SPDX-License-Identifier: Apache-2.0
// A pointwise int8 convolution on an output-stationary systolic array of ROWS pixels by COLUMNS output
// channels: codes enter from the left, weights from above, each a cycle later than its neighbour's.
`ifndef LAYER_DIR
`define LAYER_DIR "."
`endif

module cell_mac (
    input  wire               clk,
    input  wire               clear,
    input  wire signed [ 8:0] a_in,
    input  wire signed [ 7:0] b_in,
    output reg signed  [ 8:0] a_out,
    output reg signed  [ 7:0] b_out,
    output reg signed  [31:0] sum
);
  always @(posedge clk) begin
    a_out <= clear ? 9'sd0 : a_in;
    b_out <= clear ? 8'sd0 : b_in;
    sum   <= clear ? 32'sd0 : sum + a_in * b_in;
  end
endmodule

module layer_unit (
    input  wire              clk,
    output reg               valid,
    output reg signed [7:0]  data
);
  parameter integer PIXELS = 30;
  parameter integer INPUTS = 8;
  parameter integer OUTPUTS = 12;
  parameter integer ROWS = 4;
  parameter integer COLUMNS = 4;
  parameter integer ZERO_IN = -3;
  parameter integer ZERO_OUT = 5;
  parameter integer MIN = -128;
  parameter integer MAX = 100;
  parameter integer RULE = 9;
`include "requant.svh"

  reg signed [7:0] x[0:PIXELS*INPUTS-1];
  reg signed [7:0] w[0:OUTPUTS*INPUTS-1];
  reg signed [31:0] bias[0:OUTPUTS-1];
  reg signed [31:0] multipliers[0:OUTPUTS-1];
  reg [7:0] shifts[0:OUTPUTS-1];
  reg signed [7:0] y[0:PIXELS*OUTPUTS-1];

  initial begin
    $readmemh({`LAYER_DIR, "/input.mem"}, x);
    $readmemh({`LAYER_DIR, "/weights.mem"}, w);
    $readmemh({`LAYER_DIR, "/bias.mem"}, bias);
    $readmemh({`LAYER_DIR, "/multipliers.mem"}, multipliers);
    $readmemh({`LAYER_DIR, "/shifts.mem"}, shifts);
  end

  // Between cells, flattened: a[r][c] enters cell (r, c) from the left, b[r][c] from above.
  wire signed [9*ROWS*(COLUMNS+1)-1:0] a;
  wire signed [8*(ROWS+1)*COLUMNS-1:0] b;
  wire signed [32*ROWS*COLUMNS-1:0] sums;
  reg clear;
  integer t, first_pixel, first_output;

  genvar r, c;
  generate
    for (r = 0; r < ROWS; r = r + 1) begin : left
      wire feeds = t >= r && t - r < INPUTS && first_pixel + r < PIXELS;
      wire signed [7:0] code = x[feeds ? (first_pixel + r) * INPUTS + t - r : 0];
      assign a[9*(r*(COLUMNS+1))+:9] = !feeds ? 9'sd0 : fault == FAULT_ZERO_POINT_IN ? code : code - ZERO_IN;
    end
    for (c = 0; c < COLUMNS; c = c + 1) begin : top
      wire feeds = t >= c && t - c < INPUTS && first_output + c < OUTPUTS;
      assign b[8*c+:8] = feeds ? w[feeds ? (first_output + c) * INPUTS + t - c : 0] : 8'sd0;
    end
    for (r = 0; r < ROWS; r = r + 1) begin : row
      for (c = 0; c < COLUMNS; c = c + 1) begin : column
        cell_mac mac (
            .clk  (clk),
            .clear(clear),
            .a_in (a[9*(r*(COLUMNS+1)+c)+:9]),
            .b_in (b[8*(r*COLUMNS+c)+:8]),
            .a_out(a[9*(r*(COLUMNS+1)+c+1)+:9]),
            .b_out(b[8*((r+1)*COLUMNS+c)+:8]),
            .sum  (sums[32*(r*COLUMNS+c)+:32])
        );
      end
    end
  endgenerate

  reg streaming;
  integer i, j, o, sent;
  reg signed [31:0] sum;
  initial begin
    clear = 1;
    t = 0;
    first_pixel = 0;
    first_output = 0;
    streaming = 0;
    valid = 0;
    sent = 0;
  end

  always @(posedge clk) begin
    if (!streaming) begin
      clear <= 0;
      t <= clear ? 0 : t + 1;
      // The last product reaches the last cell after INPUTS + ROWS + COLUMNS cycles.
      if (t == INPUTS + ROWS + COLUMNS) begin
        for (i = 0; i < ROWS && first_pixel + i < PIXELS; i = i + 1)
          for (j = 0; j < COLUMNS && first_output + j < OUTPUTS; j = j + 1) begin
            o = first_output + j;
            sum = sums[32*(i*COLUMNS+j)+:32];
            if (fault != FAULT_BIAS) sum = sum + bias[o];
            if (fault == FAULT_CHANNEL_0) o = 0;
            y[(first_pixel+i)*OUTPUTS+first_output+j] <= finish(sum, multipliers[o], shifts[o]);
          end
        clear <= 1;
        t <= 0;
        if (first_output + COLUMNS < OUTPUTS) first_output <= first_output + COLUMNS;
        else begin
          first_output <= 0;
          first_pixel  <= first_pixel + ROWS;
          if (first_pixel + ROWS >= PIXELS) streaming <= 1;
        end
      end
    end else begin
      valid <= sent < PIXELS * OUTPUTS;
      if (sent < PIXELS * OUTPUTS)
        data <= y[fault == FAULT_LAYOUT ? (sent % PIXELS) * OUTPUTS + sent / PIXELS : sent];
      sent <= sent + 1;
    end
  end
endmodule
