// SPDX-License-Identifier: Apache-2.0
// A design of this folder with the checker that lastbit golden wrote: LASTBIT_CHECK is its module.
module bench;
  reg clk = 0;
  wire valid, done, failed;
  wire signed [7:0] data;
  integer clocks = 0;

  layer_unit dut (
      .clk  (clk),
      .valid(valid),
      .data (data)
  );
  `LASTBIT_CHECK check (
      .clk   (clk),
      .valid (valid),
      .got   (data),
      .done  (done),
      .failed(failed)
  );

  always #5 clk = ~clk;
  always @(posedge clk) begin
    clocks = clocks + 1;
    if (failed) begin
      $display("FAILED");
      $finish;
    end else if (done) begin
      $display("PASSED");
      $finish;
    end else if (clocks > 200000) begin
      $display("NOTHING CAME");
      $finish;
    end
  end
endmodule
