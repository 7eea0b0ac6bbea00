// SPDX-License-Identifier: Apache-2.0
// One-operator .tflite files that test/oracles/tie_goldens.py ran under every LiteRT resolver and TFLite
// Micro, kept as the SHA-256 of what they computed over all images.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from '../../src/engine/engine.js';
import { lower } from '../../src/program/lower.js';
import type { Program } from '../../src/program/program.js';
import type { TargetSpec } from '../../src/targets/target.js';
import { importTflite } from '../../src/tflite/import.js';
import { seededBytes } from '../oracles/inputs.cjs';

type Hashes = Readonly<Record<string, string>>;

export interface HashedCase {
  readonly offset: number;
  readonly length: number;
  readonly images: number;
  readonly agreed: Hashes;
  readonly runtimes: Readonly<Record<string, Hashes>>;
}

/** The target that reproduces each runtime. */
export const runtimeTargets: Readonly<Record<string, string>> = {
  'litert-ref': 'tflite-ref',
  'litert-builtin': 'tflite-builtin',
  'litert-xnnpack': 'xnnpack',
  tflm: 'tflm',
};

/** The cases of one folder of test/golden. */
export class HashedCases {
  readonly cases: Readonly<Record<string, HashedCase>>;
  readonly names: readonly string[];
  private readonly models: Buffer;

  constructor(folder: string) {
    const golden = join(__dirname, '../golden', folder);
    this.models = readFileSync(join(golden, 'models.bin'));
    const text = readFileSync(join(golden, 'goldens.json'), 'utf8');
    this.cases = (JSON.parse(text) as { readonly cases: HashedCases['cases'] }).cases;
    this.names = Object.keys(this.cases);
  }

  model(name: string): Uint8Array {
    const { offset, length } = this.cases[name]!;
    return this.models.subarray(offset, offset + length);
  }

  /** Those that a runtime ran. */
  ranIn(runtime: string): readonly string[] {
    return this.names.filter((name) => this.cases[name]!.runtimes[runtime] !== undefined);
  }

  /** Those whose last tensor is not the runtime's, in any code of any image. */
  wrong(runtime: string, target: TargetSpec, pattern = /./): string[] {
    return this.ranIn(runtime).filter((name) => {
      const { agreed, runtimes } = this.cases[name]!;
      return pattern.test(name) && this.differs(name, { ...agreed, ...runtimes[runtime] }, target);
    });
  }

  private differs(name: string, expected: Hashes, target: TargetSpec): boolean {
    const program = lower(importTflite(this.model(name), name), target);
    const { height, width, channels } = program.tensors[program.input]!;
    const engine = Engine.load(program);
    const hash = createHash('sha256');
    for (let i = 0; i < this.cases[name]!.images; ++i) {
      const bytes = seededBytes(`${name}/image${i}`, height * width * channels);
      const { data } = engine.runSync(codesOf(program, bytes)).outputs[0]!;
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    engine.close();
    return hash.digest('hex') !== expected.y;
  }
}

/** Bytes as codes of the program's input. */
export function codesOf(program: Program, bytes: Uint8Array): Uint8Array | Int8Array {
  const own = Uint8Array.from(bytes);
  return program.tensors[program.input]!.dtype === 's8' ? new Int8Array(own.buffer) : own;
}
