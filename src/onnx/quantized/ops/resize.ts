// SPDX-License-Identifier: Apache-2.0
// Resize between DequantizeLinear and QuantizeLinear, or on codes: the same scale on both sides, as an
// average pool has it.
import { opsetOf } from '../../file/model.js';
import { readResize } from '../../float/ops/resize.js';
import { Unsupported } from '../../float/problems.js';
import { intOf, intsOf, stringOf } from '../attributes.js';
import type { ReadOperator } from '../state.js';
import { settleCodes } from './pools.js';

export const resize: ReadOperator = (state, node) => {
  const input = state.activation(node, 0);
  if (input === undefined) return;
  const isCodes = state.get(node, 0).kind === 'codes';
  try {
    const { shape, ...how } = readResize(
      {
        opset: opsetOf(state.model),
        text: (name, absent) => stringOf(node, name, absent),
        int: (name, absent) => intOf(node, name, absent),
        ints: (name) => intsOf(node, name),
        list: (index) => {
          const data = state.constant(node, index)?.data;
          return data === undefined || data.length === 0 ? undefined : [...data];
        },
      },
      input.shape,
    );
    const [batch, channels, height, width] = shape;
    if (shape.length !== 4 || batch !== 1 || channels !== input.shape[1]) {
      throw new Unsupported(`[${input.shape.join(', ')}] to [${shape.join(', ')}]`);
    }
    const name = state.layerName(node);
    state.pend(node, {
      name,
      shape,
      takesClamp: false,
      inherits: input.name,
      movesOnly: how.mode === 'nearest',
      emit: (value) => {
        const size = [height!, width!] as const;
        state.add({ op: 'Resize', name, inputs: [input.name], output: value.name, ...how, size });
      },
    });
    if (isCodes) settleCodes(state, node);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    state.fail(node, 'unsupported-op', `${error.message}; resize rows and columns of [1,C,H,W]`);
  }
};
