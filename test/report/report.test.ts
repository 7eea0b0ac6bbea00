// SPDX-License-Identifier: Apache-2.0
import type { EvaluateDocument, LayerRow } from './fixtures.js';
import { evaluation, layer } from './fixtures.js';
import { compareText, evaluateText, factList, textTable, toJson } from '../../src/report/index.js';

describe('JSON', () => {
  test('has the schema version first, and null for what JSON lacks', () => {
    const text = toJson({
      a: Infinity,
      b: -Infinity,
      c: NaN,
      d: 2n ** 60n,
      e: undefined,
      f: [1.5],
    });
    expect(text.startsWith('{\n  "schemaVersion": 1,')).toBe(true);
    expect(text.endsWith('}\n')).toBe(true);
    expect(JSON.parse(text)).toEqual({
      schemaVersion: 1,
      a: null,
      b: null,
      c: null,
      d: '1152921504606846976',
      f: [1.5],
    });
  });

  test('an origin says which command made it, and how', () => {
    const text = toJson({ a: 1 }, { kind: 'prove', version: '1.2.3', options: { model: 'm' } });
    expect(Object.keys(JSON.parse(text) as object)).toEqual([
      'schemaVersion',
      'kind',
      'version',
      'options',
      'a',
    ]);
  });
});

describe('text', () => {
  test('tables align, numbers to the right, no blanks at line ends', () => {
    const rows = [
      ['a', '1.00'],
      ['longer', '-10.25'],
    ] as const;
    const table = textTable(rows, [
      { title: 'name', value: ([name]) => name },
      { title: 'dB', value: ([, value]) => value, align: 'right' },
    ]);
    expect(table).toBe('name        dB\na         1.00\nlonger  -10.25\n');
  });

  test('facts align, unknown ones are left out', () => {
    expect(
      factList([
        ['a', '1'],
        ['long', undefined],
        ['bcd', '2'],
      ]),
    ).toBe('a    1\nbcd  2\n');
  });

  test('evaluate says what a top-1 alone does not', () => {
    const document: EvaluateDocument = evaluation;
    const text = evaluateText(document);
    expect(text).toContain('66.31 %  95 % interval 62.59 to 69.84');
    expect(text).toContain('22.62 % of the images (the lower index wins');
    expect(text).toContain(
      '-1.69 points  95 % interval -3.15 to -0.22  (6 better, 17 worse, p = 0.035)',
    );
    expect(text).toContain('5 of them from an earlier run');
  });

  test('compare: an exact layer, one that cannot stand alone, and names that are too long', () => {
    const layers: LayerRow[] = [
      { ...layer, name: 'model/relu;model/conv2d;more', sqnrDb: Infinity },
      { ...layer, name: 'x'.repeat(80), sqnrIsolatedDb: undefined },
    ];
    const text = compareText({
      target: 't@1',
      evidence: 'unverified',
      layers,
      network: [],
      models: {},
      output: layers[1]!,
      top1Agreement: 50,
      images: 2,
      notes: ['one note'],
      preprocess: null,
      preprocessDecidedBy: null,
      geometry: null,
      geometryApplied: {},
    });
    expect(text).toContain('t@1 (emulated: the profile is unverified)');
    expect(text).toMatch(/^model\/relu +dense +exact/m);
    expect(text).toMatch(/^\.\.\.x{47} +dense +20\.00 +- /m);
    expect(text).toMatch(/^note +one note$/m);
  });
});
