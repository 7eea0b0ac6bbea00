// SPDX-License-Identifier: Apache-2.0
import type { Budget } from '../limits/budget.js';
import type { Op, Program } from './program.js';

/** Codes, and beside them the accumulators that become codes. */
const bytesEach = 4;

/**
 * Takes what the arena, margins and packed weights of a program may need, and the steps of one inference.
 * @throws LimitError `too-much-memory`, `too-much-work`
 */
export function takeProgram(budget: Budget, { tensors, ops }: Program): void {
  const codesOf = (index: number): number => {
    const { height, width, channels } = tensors[index]!;
    return height * width * channels;
  };
  tensors.forEach(({ name }, index) => {
    budget.takeMemory(bytesEach * codesOf(index), `tensor "${name}"`, 'its codes');
  });
  for (const op of ops) {
    const where = `operation "${op.name}"`;
    if ('pads' in op) {
      const { height, width, channels } = tensors[op.inputs[0]!]!;
      const [top, left, bottom, right] = op.pads;
      const padded = (height + top + bottom) * (width + left + right) * channels;
      budget.takeMemory(bytesEach * padded, where, 'its input with margins');
    }
    budget.takeSteps(codesOf(op.output) * stepsEach(op), where);
  }
}

function stepsEach(op: Op): number {
  if (op.op === 'conv') return op.weights.length / op.bias.length;
  return 'kernel' in op ? op.kernel[0] * op.kernel[1] : 1;
}
