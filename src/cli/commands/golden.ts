// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

import { checkerKinds, roles, vectorFormats } from '../../golden/index.js';
import { exitCodes, goldenVectors } from '../../index.js';
import { goldenText } from '../../report/index.js';
import { defineCommand } from '../command.js';
import {
  images,
  inputKind,
  integer,
  limit,
  list,
  model,
  option,
  overwrite,
  preprocessing,
  target,
  text,
  threads,
  limits,
} from '../options.js';
import { saveConfigIn } from '../save-config.js';

/** `weights=4,accumulators=24`, or an object in a config file. */
const widths = z.preprocess(
  (value) => (typeof value === 'string' ? pairsOf(value) : value),
  z.partialRecord(z.enum(roles), integer(1, 64)),
);

function pairsOf(text: string): Record<string, string> {
  const pairs = text.split(',').map((part): [string, string] => {
    const [role = '', bits = ''] = part.split('=').map((word) => word.trim());
    return [role, bits];
  });
  return Object.fromEntries(pairs);
}

const listOf = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value),
    z.array(z.enum(names)).min(1),
  );

export const goldenCommand = defineCommand({
  name: 'golden',
  summary: 'vectors for RTL: inputs, registers, accumulators and outputs of every layer',
  positionals: ['model'],
  examples: ['lastbit golden net.onnx --target tflm --input frame.npy -o vectors'],
  options: {
    model,
    target,
    input: option('--input <file>', 'an image, .npy or .bin', text.optional()),
    images,
    limit,
    ...preprocessing,
    inputKind,
    out: option('-o, --out <dir>', 'the folder to make', text),
    layers: option(
      '--layers <names>',
      'all (default), or names or numbers of layers',
      list.optional(),
    ),
    formats: option(
      '--formats <list>',
      'npy (default), bin, mem ($readmemh), h (C header)',
      listOf(vectorFormats).optional(),
    ),
    layout: option(
      '--layout <order>',
      'activations in bin, mem and h: nhwc (default), nchw, nchw16c (tiles)',
      text.optional(),
    ),
    weightLayout: option(
      '--weight-layout <order>',
      'weights there: ohwi (default), oihw, hwio',
      text.optional(),
    ),
    endian: option(
      '--endian <order>',
      'bytes of .bin: little (default) or big',
      z.enum(['little', 'big']).optional(),
    ),
    wordBits: option(
      '--word-bits <n>',
      'bits of a word of .mem (default: one number a word)',
      integer(1, 4096).optional(),
    ),
    laneOrder: option(
      '--lane-order <order>',
      'where the first number of a word stands: low-first (default) or high-first',
      z.enum(['low-first', 'high-first']).optional(),
    ),
    widths: option(
      '--widths <list>',
      'bits of a number in .mem, such as weights=4,accumulators=24',
      widths.optional(),
    ),
    accumulators: option(
      '--accumulators',
      'write accumulators of convolutions as well',
      z.boolean().optional(),
    ),
    checkers: option(
      '--checkers <list>',
      'write checkers of each layer: sv (SystemVerilog), cocotb',
      listOf(checkerKinds).optional(),
    ),
    partialSums: option(
      '--partial-sums <n>',
      'and their partial sums after every n products',
      integer(1).optional(),
    ),
    threads,
    overwrite,
    ...limits,
  },
  run: async (options, { print, progress, warn, resolvedConfig }) => {
    const document = await goldenVectors({ ...options, onProgress: progress });
    saveConfigIn(options.out, resolvedConfig);
    for (const note of document.notes) warn(`[note] ${note}`);
    print(document, goldenText);
    return exitCodes.ok;
  },
});
