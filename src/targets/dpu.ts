// SPDX-License-Identifier: Apache-2.0
import { pow2 } from './pow2.js';
import type { TargetSpec } from './target.js';

/** AMD's DPU for Zynq and Versal, as Vitis AI's CPU kernels compute it. */
export const dpu: TargetSpec = {
  ...pow2,
  id: 'dpu@3.5',
  aliases: ['dpu', 'vitis'],
  summary: 'Vitis AI DPU: fix positions, half up, 8-bit aligned bias, averages by N / 2^M',
  source:
    'Xilinx/Vitis-AI src/vai_library/cpu_task/ops (conv2d-fix ac71c03, eltwise-fix 228e5ca, pool-fix ' +
    '887417b, common/util.hpp); its float accumulator is exact below 2^24. Bias positions never lie ' +
    'below the accumulator here; cpu_task computes RELU6 as a constant and scales a product twice, ' +
    'which is not followed. Not run',
  evidence: 'source',
  provenBy: ['test/targets/pipelines.test.ts'],
  constraints: {
    ...pow2.constraints,
    weightBits: [8],
    perChannelWeights: false,
    perChannelClamp: false,
    wideOutputs: [],
  },
  // Of the DPUCZDX8G; other layers are left to the CPU.
  limits: {
    source: 'AMD UG1414 3.0, "Currently Supported Operators", DPUCZDX8G_ISA1_B4096',
    refused: { greatestKernel: 16, greatestStride: 8, greatestChannels: 256 * 16 },
  },
  arithmetic: {
    ...pow2.arithmetic,
    bias: { bits: 8, overflow: 'refuse', shift: 'least', rule: 'halfUp' },
    averagePool: { kind: 'dpuTable', rule: 'halfUp' },
    globalPool: { kind: 'dpuTable', rule: 'halfUp' },
  },
};
