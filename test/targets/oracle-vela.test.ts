// SPDX-License-Identifier: Apache-2.0
// The Ethos-U profile's registers against those that Vela 5.2.0 computes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { QuantNode } from '../../src/graph/quant-graph.js';
import { lower } from '../../src/program/lower.js';
import type { Op } from '../../src/program/program.js';
import { findTarget } from '../../src/targets/index.js';
import { convNode, graphOf, value } from '../program/quant-graphs.js';
import { ethosPoolingScale } from './hardware.js';

type Pair = readonly [scale: number, shift: number];
type Scales = readonly [number, number, number];

interface Goldens {
  readonly convs: readonly { scales: Scales; s8: Pair; u8: Pair }[];
  readonly muls: readonly { scales: Scales; out: Pair }[];
  readonly adds: readonly { scales: Scales; in: Pair; out: Pair; operand: 0 | 1 }[];
  readonly pools: readonly { n: number; out: Pair }[];
}

const goldens = JSON.parse(
  readFileSync(join(__dirname, '../golden/hardware/vela.json'), 'utf8'),
) as Goldens;
const target = findTarget('ethos-u');

function registers(op: Op): Pair {
  const requant = op.op === 'conv' || op.op === 'mul' ? op.requant : undefined;
  if (requant?.kind !== 'fixed') throw new Error(`expected one multiplier, got ${op.op}`);
  expect(requant.rule).toBe('gemmlowp2');
  return [requant.multiplier[0]!, requant.shift[0]!];
}

test.each(['s8', 'u8'] as const)('convolutions, %s', (dtype) => {
  const data = dtype === 'u8' ? Uint8Array.of(1) : Int8Array.of(1);
  for (const golden of goldens.convs) {
    const [si, sw, so] = golden.scales;
    const weight = {
      dtype,
      bits: 8,
      shape: [1, 1, 1, 1],
      data,
      scales: Float32Array.of(sw),
      zeroPoints: Int32Array.of(0),
    };
    const sides = [
      value('x', [1, 1, 1, 1], { dtype, scale: si }),
      value('y', [1, 1, 1, 1], { dtype, scale: so }),
    ];
    const [op] = lower(graphOf(sides, [convNode(1, 1, { weight })]), target).ops;
    expect(registers(op!)).toEqual(golden[dtype]);
  }
});

/** The last operation of two operands that layers make from one input. */
function binary(op: 'Add' | 'Mul', [sa, sb, so]: Scales): Op {
  const shape = [1, 1, 1, 1];
  const node: QuantNode = { op, name: 'last', inputs: ['a', 'b'], output: 'y' };
  const graph = graphOf(
    [
      value('x', shape),
      value('a', shape, { scale: sa }),
      value('b', shape, { scale: sb }),
      value('y', shape, { scale: so }),
    ],
    [
      convNode(1, 1, { name: 'pick a', output: 'a' }, [sa]),
      convNode(1, 1, { name: 'pick b', output: 'b' }, [sb]),
      node,
    ],
  );
  return lower(graph, target).ops.at(-1)!;
}

test('products', () => {
  for (const { scales, out } of goldens.muls) {
    expect({ scales, out: registers(binary('Mul', scales)) }).toEqual({ scales, out });
  }
});

test('sums: the operand with the smaller scale is rescaled, the other shifted by 19', () => {
  for (const { scales, in: expected, out, operand } of goldens.adds) {
    const op = binary('Add', scales);
    if (op.op !== 'add' || op.form.kind !== 'rescaled') throw new Error('expected a rescaled add');
    const { leftShift, multiplierA, shiftA, multiplierB, shiftB, multiplierOut, shiftOut } =
      op.form;
    expect(leftShift).toBe(0);
    const both: readonly Pair[] = [
      [multiplierA, shiftA],
      [multiplierB, shiftB],
    ];
    expect({ scales, pair: both[operand] }).toEqual({ scales, pair: expected });
    expect(both[1 - operand]).toEqual([2 ** 30, 11]);
    expect({ scales, pair: [multiplierOut, shiftOut] }).toEqual({ scales, pair: out });
  }
});

test('the reciprocals that the averages of pipelines.test.ts are checked with', () => {
  for (const { n, out } of goldens.pools) {
    const [scale, shift] = ethosPoolingScale(n);
    expect([Number(scale), shift]).toEqual(out);
  }
});
