// SPDX-License-Identifier: Apache-2.0

/** A runtime that was really executed beside a profile. */
export interface EvidenceRow {
  /** Full id of the profile, or what was compared where it is none. */
  readonly profile: string;
  readonly runtime: string;
  readonly version: string;
  /** What is counted: values of all tensors, codes, or hashes of whole activations. */
  readonly unit: string;
  /** Networks or suites. */
  readonly runs: number;
  readonly values: number;
  readonly differing: number;
}

/** What others accept as equal, beside a tolerance of 0 here. */
export interface AcceptedTolerance {
  readonly who: string;
  readonly tolerance: string;
  readonly source: string;
}

export const acceptedTolerances: readonly AcceptedTolerance[] = [
  {
    who: 'ExecuTorch, Cortex-M tests',
    tolerance: '10 LSB',
    source: 'pytorch/executorch, MobileNet tests with CortexMTester, qtol=10',
  },
  {
    who: 'Qualcomm QNN, execution provider tests',
    tolerance: '0.4 % of the output range',
    source: 'microsoft/onnxruntime, QNN tests, QDQTolerance',
  },
];
