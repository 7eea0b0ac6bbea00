// SPDX-License-Identifier: Apache-2.0
import { fusedClamp } from '../../src/tflite/ops/state.js';

// The numbers of ActivationFunctionType in TensorFlow's schema.fbs.
test.each([
  [0, 'NONE', {}],
  [1, 'RELU', { clamp: { lo: Float32Array.of(0), hi: Float32Array.of(Infinity) } }],
  [2, 'RELU_N1_TO_1', { clamp: { lo: Float32Array.of(-1), hi: Float32Array.of(1) } }],
  [3, 'RELU6', { clamp: { lo: Float32Array.of(0), hi: Float32Array.of(6) } }],
  [4, 'TANH', null],
  [5, 'SIGN_BIT', null],
])('fused activation %d is %s', (activation, _, clamp) => {
  expect(fusedClamp(activation)).toEqual(clamp);
});
