// SPDX-License-Identifier: Apache-2.0
// Random pools.
import type { CodeType } from '../../src/numeric/code-types.js';
import { windowOutput } from '../../src/program/window.js';
import { RandomConvolutions } from './random-convolutions.js';
import type { CodeSize, PoolWindow } from './random-tensors.js';

/** A program with pools as well. */
export class RandomPools extends RandomConvolutions {
  protected globalPool(index: number, type: CodeType): number {
    const { height, width } = this.tensor(index);
    const window = { kernel: [height, width], strides: [1, 1], pads: [0, 0, 0, 0] } as const;
    return this.requantPool(index, window, type);
  }

  protected requantPool(index: number, window: PoolWindow, type: CodeType): number {
    const input = this.tensor(index);
    const { channels } = input;
    const output = this.append(type, poolSize(window, input));
    const reach = window.kernel[0] * window.kernel[1] * (input.dtype === 's16' ? 2 ** 14 : 2 ** 6);
    const greatest =
      BigInt(window.kernel[0] * window.kernel[1]) << (input.dtype === 's16' ? 16n : 8n);
    return this.push({
      op: 'averagePool',
      name: this.name('averagePool'),
      inputs: [index],
      output,
      ...window,
      form: {
        kind: 'requant',
        requant: this.requant(type, channels, reach, [-greatest, greatest]),
      },
      clamp: this.clamp(type, channels),
    });
  }

  protected poolWindow(input: CodeSize): PoolWindow {
    for (;;) {
      const { kernel, strides, pads } = this.window(input, false);
      const [rows, columns] = windowOutput({ kernel, strides, pads }, input.height, input.width);
      const inside = (count: number, axis: 0 | 1, extent: number): boolean =>
        (count - 1) * strides[axis] - pads[axis] < extent;
      if (inside(rows, 0, input.height) && inside(columns, 1, input.width))
        return { kernel, strides, pads };
    }
  }

  protected averagePool(index: number): void {
    const { random } = this;
    const input = this.tensor(index);
    if (random.chance(0.3)) {
      this.globalPool(index, this.convType());
      return;
    }
    const window = this.poolWindow(input);
    const kind = random.pick(['requant', 'requant', 'divide', 'divide', 'f32Window'] as const);
    if (kind === 'requant') {
      this.requantPool(index, window, this.resultType());
      return;
    }
    if (kind === 'f32Window') {
      this.floatPool(index, window);
      return;
    }
    this.push({
      op: 'averagePool',
      name: this.name('averagePool'),
      inputs: [index],
      output: this.append(input.dtype, poolSize(window, input), input.zeroPoint),
      ...window,
      form: { kind: 'divide', rule: random.pick(['halfAway', 'halfUp', 'trunc0']) },
      clamp: this.clamp(input.dtype, input.channels),
    });
  }

  protected floatPool(index: number, window: PoolWindow): void {
    const { random } = this;
    const input = this.tensor(index);
    const type = this.convType();
    const scale = (): number => Math.fround(random.chance(0.3) ? 0.5 : random.magnitude(0.05, 0.2));
    const extreme = random.chance(0.1);
    this.push({
      op: 'averagePool',
      name: this.name('averagePool'),
      inputs: [index],
      output: this.append(type, poolSize(window, input)),
      ...window,
      form: {
        kind: 'f32Window',
        scaleIn: extreme ? 2 ** random.integer(-64, 64) : scale(),
        scaleOut: extreme ? 2 ** random.integer(-64, 64) : scale(),
      },
      clamp: this.clamp(type, input.channels),
    });
  }

  protected maxPool(index: number): void {
    const input = this.tensor(index);
    const window = this.poolWindow(input);
    this.push({
      op: 'maxPool',
      name: this.name('maxPool'),
      inputs: [index],
      output: this.append(input.dtype, poolSize(window, input), input.zeroPoint),
      ...window,
      clamp: this.clamp(input.dtype, input.channels),
    });
  }
}

function poolSize(window: PoolWindow, { height, width, channels }: CodeSize): CodeSize {
  const [rows, columns] = windowOutput(window, height, width);
  return { height: rows, width: columns, channels };
}
