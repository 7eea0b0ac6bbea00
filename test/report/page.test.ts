// SPDX-License-Identifier: Apache-2.0
import { drawPage, networksOf, recognize, toJson } from '../../src/report/index.js';
import { markup } from '../../src/report/page/markup.js';
import { all, analyze, best, compare, evaluate, prove, quantize } from './results.js';

const read = (documents: Readonly<Record<string, object>>) =>
  Object.entries(documents).map(([name, document]) =>
    recognize(JSON.stringify(document), `${name}.json`),
  );
const draw = async (documents: Readonly<Record<string, object>>) =>
  (await drawPage(networksOf(read(documents)), '1.2.3')).html;
/** What stands in the page, without its markup. */
const textOf = (html: string): string =>
  html
    .replace(/<(script|style)>[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll('&quot;', '"')
    .replace(/\s+/g, ' ');

describe('recognize', () => {
  test.each(Object.entries(all))('%s, by its name and by its fields', (kind, document) => {
    const text = JSON.stringify({ ...document, kind: undefined });
    expect(recognize(JSON.stringify(document), 'a.json').kind).toBe(kind);
    expect(recognize(text, 'a.json').kind).toBe(kind);
  });

  const refused = (text: string) => {
    try {
      recognize(text, 'a.json');
    } catch (error) {
      return (error as Error).message;
    }
    return 'accepted';
  };

  test.each([
    ['{"schemaVersion": 1, "ki', /^\[bad-document\] a\.json: .* no JSON .*--format json/],
    ['[1]', /^\[bad-document\] a\.json: .*no JSON object/],
    ['{}', /^\[unknown-document\] a\.json: .*no schemaVersion/],
    ['{"schemaVersion": 2}', /^\[document-version\] a\.json: expected schemaVersion 1, got 2/],
    ['{"schemaVersion": 1, "kind": "targets"}', /^\[unknown-document\] .*one of "targets"/],
    ['{"schemaVersion": 1, "a": 1}', /^\[unknown-document\] .*its fields are those of none/],
    [
      JSON.stringify({ ...prove, layers: [{ name: 1 }] }),
      /^\[bad-document\] a\.json: expected a document of prove, but layers\.0\.name/,
    ],
  ])('%s is refused', (text, message) => {
    expect(refused(text)).toMatch(message);
  });
});

describe('networks', () => {
  test('documents are joined by the hashes of their models', () => {
    const networks = networksOf(read({ ...all, evaluate2: best(evaluate) }));
    expect(networks.map(({ name, results }) => [name, results.length])).toEqual([
      ['net', 11],
      ['experiment sheng', 1],
    ]);
  });

  test('another hash is another network, until a document joins both', () => {
    const other = best({ ...prove, models: { quantized: {} } });
    expect(networksOf(read({ analyze, other }))).toHaveLength(2);
    expect(networksOf(read({ analyze, other, quantize: best(quantize) }))).toHaveLength(1);
  });

  test('a document without hashes is joined by the name of its model', () => {
    const old = { ...prove, models: undefined };
    expect(networksOf(read({ old, prove: { ...old } }))).toHaveLength(1);
    expect(networksOf(read({ old, other: { ...old, model: 'else.onnx' } }))).toHaveLength(2);
  });

  test('one that names no model belongs to the only network, and is refused among several', () => {
    const nameless = { ...compare, models: undefined };
    expect(networksOf(read({ analyze, nameless }))).toHaveLength(1);
    const other = best({ ...prove, models: { quantized: {} } });
    expect(() => networksOf(read({ analyze, other, nameless }))).toThrow('[unknown-network]');
  });
});

describe('page', () => {
  test('has a section for each result, and figures as the documents have them', async () => {
    const text = textOf(await draw(all));
    const facts = [
      '12.50 %',
      '7.00 to 20.00',
      '-57.50',
      'a loss beyond chance',
      'a loss below 8.50 points could not be told from none gate: missed',
      'factors up to 249 x',
      '9.5 28.3 1.25 0.50 9.0 2.0 0.13 %',
      'double rounding, which alone explains it',
      'c@1 cannot represent the model: no 8-bit weights',
      'rounds halves up',
      `naive: ${'y'.repeat(300)}`,
      '-40,000 50,000 17 16 can saturate',
      '127 -128 127',
      '4.00 x as fast as onnxruntime-fp32',
      'left out: not installed',
      '4,096 numbers, 12 arrays, 24 files',
      "lastbit prove --model 'it'\\''s.onnx' --target a,b --limit 4 --format json",
      '1'.repeat(64),
      'centre crop (4 images)',
      'The original block collapses refuted drop 68.7 60 to 77 points paired no dead channels',
      'separable not stated sheng 9.25',
    ];
    expect(facts.filter((fact) => !text.includes(fact))).toEqual([]);
  });

  test('says what is missing, and what has no error at all', async () => {
    const { models, layers, ...rest } = compare;
    const [first, second] = layers;
    const bare = { ...second!, rmsErrorLsb: undefined };
    const text = textOf(await draw({ compare: { ...rest, models, layers: [first, bare] } }));
    expect(text).toContain('exact 30.0');
    expect(text).toContain('9.5 28.3 not stated 0.50');
    expect(text).toContain('1 layers without any error are not in the picture');
  });

  test('puts two results of a kind beside each other, with what changed', async () => {
    const layers = compare.layers.map((layer) => ({ ...layer, sqnrDb: 40 }));
    const text = textOf(
      await draw({
        quantize,
        compare,
        ...{ evaluate, second: best({ ...evaluate, top1: 69.5 }) },
        ...{ better: best({ ...compare, layers }), best: best({ ...quantize, method: 'best' }) },
      }),
    );
    expect(text).toContain('naive best change, last against first');
    expect(text).toMatch(/second dense 9\.5 [^a-z]* 40\.0 [^a-z]* \+30\.50/);
    expect(text).toMatch(/change, last against first \+57\.00/);
  });

  test('colours the network, and has a card for every layer', async () => {
    const html = await draw({ compare });
    expect(html).toMatch(/<a href="#n1-layer-0" aria-label="1: first, conv, 8 x 8 x 4: exact"/);
    expect(html).toMatch(/aria-label="3: sum, add, [^"]*-2\.0 dB"[^>]*><rect class="box sev-4"/);
    expect(html.match(/<article class="card"/g)).toHaveLength(3);
  });

  test('loads nothing', async () => {
    const html = await draw(all);
    expect(html).toContain('default-src &#39;none&#39;');
    expect(html).not.toMatch(/\b(src|xlink:href)=|href="(?!#)|url\((?!#)|@import|style="/);
  });

  test('the same documents give the same page', async () => {
    expect(await draw(all)).toBe(await draw(all));
  });
});

describe('strings of documents', () => {
  const evil = `</script><script>alert(1)</script><img src=x onerror='alert("2")'>&amp;\`$& \u0000`;

  test('are text in every place', async () => {
    const hostile = (value: unknown): unknown => {
      if (typeof value === 'string') return evil;
      if (Array.isArray(value)) return value.map(hostile);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, part]) => [key, kept.has(key) ? part : hostile(part)]),
      );
    };
    const kept = new Set(['kind', 'seenBy', 'evidence', 'models', 'manifest', 'verdict']);
    const documents = Object.entries(all).map(([kind, document]) => [
      `${kind}${evil}`,
      { ...(hostile(document) as object), kind },
    ]);
    const html = await draw(Object.fromEntries(documents) as Record<string, object>);
    expect(html.match(/<script>/g)).toHaveLength(1);
    const found = ['<img', '\u0000', '&lt;/script&gt;&lt;script&gt;alert(1)'].map((part) =>
      html.includes(part),
    );
    expect(found).toEqual([false, false, true]);
    const tags = html.match(/<[a-z][^>]*>/g)!;
    expect(tags.filter((tag) => / on[a-z]+=/.test(tag.replace(/"[^"]*"/g, '""')))).toEqual([]);
  });

  test('a template escapes what is not markup', () => {
    const inner = markup`<b>${'<i>'}</b>`;
    expect(markup`${inner}${['"', undefined, 1]}'`.text).toBe("<b>&lt;i&gt;</b>&quot;1'");
  });
});

test('documents of the commands are read with infinite figures as null', () => {
  const text = toJson({ ...compare, layers: [{ ...compare.layers[0]!, sqnrDb: Infinity }] });
  expect(recognize(text, 'a.json').kind).toBe('compare');
});
