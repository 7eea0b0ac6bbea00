// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../src/errors.js';
import { allTargets, findTarget } from '../../src/targets/index.js';

describe('targets', () => {
  test('ids and aliases are kebab-case, versioned and distinct', () => {
    const names = allTargets.flatMap(({ id, aliases }) => [id, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
    for (const { id, aliases } of allTargets) {
      expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*@\d+(\.\d+)*$/);
      for (const alias of aliases) expect(alias).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    }
  });

  test('are found by id and by alias', () => {
    for (const target of allTargets) {
      expect(findTarget(target.id)).toBe(target);
      for (const alias of target.aliases) expect(findTarget(alias)).toBe(target);
    }
    expect(findTarget('tflm').id).toBe('tflm@2026.10');
    expect(findTarget('onnxruntime').id).toBe('onnxruntime@1.30');
    expect(findTarget('pow2').id).toBe('pow2@1');
  });

  test('an unknown name lists the known ones', () => {
    expect(() => findTarget('tflm@1999')).toThrow(UsageError);
    expect(() => findTarget('tflm@1999')).toThrow(
      /\[unknown-target\] target "tflm@1999".*tflm, onnxruntime, pow2/,
    );
  });

  test('what proves a target exists, and only tests make it verified', () => {
    for (const { id, evidence, provenBy } of allTargets) {
      for (const path of provenBy) {
        expect({ id, path, exists: existsSync(join(__dirname, '../..', path)) }).toEqual({
          id,
          path,
          exists: true,
        });
      }
      if (evidence === 'verified') expect(provenBy.length).toBeGreaterThan(0);
    }
  });
});
