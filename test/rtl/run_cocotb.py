# SPDX-License-Identifier: Apache-2.0
"""Runs a checker's test_layer.py on a design: run_cocotb.py CHECKER PLUSARGS, see rtl.test.ts."""
import os
import sys
from pathlib import Path

from cocotb_tools.runner import get_results, get_runner

HERE = Path(__file__).resolve().parent
checker, plusargs = Path(sys.argv[1]), sys.argv[2].split()
defines = dict(line.split("=", 1) for line in os.environ["RTL_DEFINES"].split("\n"))
runner = get_runner("icarus")
runner.build(
    sources=[os.environ["RTL_FILES"]],
    includes=[HERE],
    defines=defines,
    hdl_toplevel="layer_unit",
    build_dir=checker / "sim",
    timescale=("1ns", "1ps"),
)
results = runner.test(
    hdl_toplevel="layer_unit",
    test_module="test_layer",
    test_dir=checker,
    plusargs=plusargs,
)
tests, failures = get_results(results)
sys.exit(1 if failures or not tests else 0)
