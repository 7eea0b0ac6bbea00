// SPDX-License-Identifier: Apache-2.0
// Breaks the TypeScript on purpose, one place at a time, and says which places no test notices.
//
//   node test/mutation/typescript.cjs [--per-folder N] [--seed N] [--only TEXT] [--json FILE] [--after FILE]
//
// Takes a seeded sample of the places where an operator, a constant, a condition or a boundary can be changed, writes
// all of them into a copy of the sources (build/mutation-ts) behind an environment variable, and runs the folder's
// tests once a mutant. So nothing is compiled again from one mutant to the next. Survivors that are listed in
// typescript-equivalent.json change nothing that a test could see; the reason stands there. With `--after`, what an
// earlier run has killed is taken from its JSON. Exits with 1 if less than 90 % of the others are noticed. Needs `npm ci`.
//
// Stryker does the same more thoroughly, but tells tests by the mutants that they reach through an environment of its
// own, and ours (test/realm-env.cjs) has to be another.
const { spawn } = require('node:child_process');
const {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} = require('node:fs');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const ts = require('typescript');

const { values: options } = parseArgs({
  options: {
    'per-folder': { type: 'string', default: '75' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    after: { type: 'string' },
    workers: { type: 'string', default: '2' },
  },
});
// Real networks would make each run take minutes.
delete process.env.LASTBIT_DATA;
const root = join(__dirname, '../..');
const copy = join(root, 'build', 'mutation-onnx');

/** Which tests answer for a folder, quick ones first: a mutant's run ends at the first that fails. */
const folders = {
  'src/numeric': ['test/numeric', 'test/program/(stages|interpret)'],
  'src/evaluate': ['test/evaluate/(statistics|tally|evaluate)'],
  'src/program': [
    'test/program',
    'test/engine/(agreement|loaders-agree|input)',
    'test/targets/(ties|oracle-ties|targets|pipelines|oracle-tosa|oracle-pools)',
    'test/targets/(limits|user-target|whole-image-pools|oracle-(wide|tails|inputs|pairs|qonnx|vela|wasm))',
  ],
  'src/onnx': ['test/onnx', 'test/pipeline/float-layers'],
  'src/tflite': ['test/tflite', 'test/targets/oracle-tails'],
  'src/quantize': ['test/quantize', 'test/pipeline/(cases|names|float-layers)'],
};

/** mulberry32: the same sample on every machine. */
function random(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const K = ts.SyntaxKind;
const swapped = new Map([
  [K.LessThanToken, '<='],
  [K.LessThanEqualsToken, '<'],
  [K.GreaterThanToken, '>='],
  [K.GreaterThanEqualsToken, '>'],
  [K.EqualsEqualsEqualsToken, '!=='],
  [K.ExclamationEqualsEqualsToken, '==='],
  [K.PlusToken, '-'],
  [K.MinusToken, '+'],
  [K.AsteriskToken, '/'],
  [K.SlashToken, '*'],
  [K.PercentToken, '*'],
  [K.AmpersandAmpersandToken, '||'],
  [K.BarBarToken, '&&'],
  [K.AsteriskAsteriskToken, '*'],
]);

/** Expressions that stand for a type, a name or a message are no places: nothing is computed there. */
function isCode(node) {
  for (let at = node; at !== undefined; at = at.parent) {
    if (
      ts.isTypeNode(at) ||
      ts.isThrowStatement(at) ||
      ts.isImportDeclaration(at) ||
      (ts.isPropertyAssignment(at.parent ?? at) && at.parent.name === at) ||
      ts.isEnumMember(at)
    )
      return false;
    if (ts.isNewExpression(at) && /Error|Unsupported/.test(at.expression.getText())) return false;
    if (ts.isTemplateExpression(at)) return false;
  }
  return true;
}

/** What an expression can become, as text; undefined where it is no place. */
function mutated(node, text) {
  if (ts.isBinaryExpression(node) && swapped.has(node.operatorToken.kind)) {
    const operator = node.operatorToken;
    const isText = [node.left, node.right].some(
      (side) => ts.isStringLiteralLike(side) || ts.isTemplateExpression(side),
    );
    if (operator.kind === K.PlusToken && isText) return undefined;
    return (
      text.slice(node.getStart(), operator.getStart()) +
      swapped.get(operator.kind) +
      text.slice(operator.end, node.end)
    );
  }
  if (ts.isConditionalExpression(node)) {
    const [yes, no] = [node.whenTrue.getText(), node.whenFalse.getText()];
    return `${node.condition.getText()} ? ${no} : ${yes}`;
  }
  if (ts.isPrefixUnaryExpression(node) && node.operator === K.ExclamationToken)
    return node.operand.getText();
  if (
    ts.isNumericLiteral(node) &&
    ts.isExpression(node) &&
    !ts.isElementAccessExpression(node.parent) &&
    !ts.isLiteralTypeNode(node.parent) &&
    !ts.isPropertyAssignment(node.parent?.parent ?? node)
  ) {
    return String(Number(node.text) + 1);
  }
  if (node.kind === K.TrueKeyword && ts.isExpression(node) && !ts.isLiteralTypeNode(node.parent))
    return 'false';
  if (node.kind === K.FalseKeyword && ts.isExpression(node) && !ts.isLiteralTypeNode(node.parent))
    return 'true';
  if (ts.isCallExpression(node) && /^Math\.(min|max|floor|ceil)$/.test(node.expression.getText())) {
    const other = { min: 'max', max: 'min', floor: 'ceil', ceil: 'floor' };
    return node
      .getText()
      .replace(/^Math\.(min|max|floor|ceil)/, (_, name) => `Math.${other[name]}`);
  }
  return undefined;
}

function placesOf(file) {
  const text = readFileSync(join(root, file), 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const lines = text.split('\n');
  const places = [];
  const visit = (node) => {
    const to = isCode(node) ? mutated(node, text) : undefined;
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    if (to !== undefined)
      places.push({
        file,
        start: node.getStart(),
        end: node.end,
        line: line + 1,
        text: lines[line],
        from: node.getText(),
        to,
      });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return places;
}

/** A sample in which no place lies inside another of the same file. */
function sample(folder, count, next) {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts'),
  );
  const all = files.flatMap((name) => placesOf(join(folder, name)));
  const chosen = [];
  while (chosen.length < count && all.length > 0) {
    const [place] = all.splice(Math.floor(next() * all.length), 1);
    const apart = chosen.every(
      (other) => other.file !== place.file || other.end <= place.start || place.end <= other.start,
    );
    if (apart) chosen.push({ folder, ...place });
  }
  return chosen;
}

/** Writes all mutants into the copy, each behind its number. */
function writeCopy(mutants) {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const part of [
    'src',
    'test',
    'models',
    'bench',
    'native',
    'package.json',
    'jest.config.cjs',
    'tsconfig.json',
    'CMakeLists.txt',
    'binding.gyp',
    'CONTRIBUTING.md',
    'README.md',
  ]) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  mkdirSync(join(copy, 'build'), { recursive: true });
  cpSync(join(root, 'build/Release'), join(copy, 'build/Release'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const file of new Set(mutants.map((mutant) => mutant.file))) {
    let text = readFileSync(join(root, file), 'utf8');
    const own = mutants
      .map((mutant, id) => ({ ...mutant, id }))
      .filter((mutant) => mutant.file === file);
    for (const { id, start, end, from, to } of own.sort((a, b) => b.start - a.start)) {
      text = `${text.slice(0, start)}(process.env.MUTANT === '${id}' ? (${to}) : (${from}))${text.slice(end)}`;
    }
    writeFileSync(join(copy, file), text);
  }
}

/** The name of the first test file that fails, 'time' after two minutes, or undefined. */
function noticedBy(id, tests) {
  const args = [
    join(root, 'node_modules/jest/bin/jest.js'),
    '--bail',
    '--runInBand',
    '--silent',
    '--testPathPatterns',
    ...tests,
  ];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: copy,
      env: { ...process.env, MUTANT: String(id) },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (data) => (said += data));
    const timer = setTimeout(() => child.kill('SIGKILL'), 120000);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(undefined);
      else resolve(signal === 'SIGKILL' ? 'time' : (/FAIL (\S+)/.exec(said)?.[1] ?? 'no test ran'));
    });
  });
}

/** One pattern after the other, so that the quick ones spare the others. */
async function firstToNotice(id, patterns) {
  for (const pattern of patterns) {
    const noticed = await noticedBy(id, [pattern]);
    if (noticed !== undefined) return noticed;
  }
  return null;
}

function readEquivalent() {
  try {
    return JSON.parse(readFileSync(join(__dirname, 'typescript-equivalent.json'), 'utf8'));
  } catch {
    return [];
  }
}

/** What killed a mutant in an earlier run of the same sample; undefined where nothing did. */
function readEarlier() {
  if (options.after === undefined) return () => undefined;
  const { results } = JSON.parse(readFileSync(options.after, 'utf8'));
  const nameOf = ({ file, line, from, to }) => JSON.stringify([file, line, from, to]);
  const killers = new Map(results.map((one) => [nameOf(one), one.killedBy ?? undefined]));
  return (mutant) => killers.get(nameOf(mutant));
}

async function main() {
  const next = random(Number(options.seed));
  const mutants = Object.keys(folders)
    .filter((folder) => folder.includes(options.only))
    .flatMap((folder) => sample(folder, Number(options['per-folder']), next));
  writeCopy(mutants);
  for (const folder of new Set(mutants.map((mutant) => mutant.folder))) {
    const noticed = await firstToNotice('none', folders[folder]);
    if (noticed !== null) throw new Error(`${folder}: ${noticed} fails without a mutant`);
  }
  const known = readEquivalent();
  const earlier = readEarlier();
  const results = new Array(mutants.length);
  let taken = 0;
  const work = async () => {
    while (taken < mutants.length) {
      const id = taken++;
      const { folder, file, line, from, to } = mutants[id];
      const killedBy = earlier(mutants[id]) ?? (await firstToNotice(id, folders[folder]));
      const reason = known.find(
        (one) =>
          one.file === file &&
          one.from === from &&
          one.to === to &&
          mutants[id].text.includes(one.in ?? ''),
      )?.reason;
      results[id] = {
        file,
        line,
        from,
        to,
        killedBy,
        ...(killedBy === null && reason ? { equivalent: reason } : {}),
      };
      console.log(
        `${killedBy ?? 'LIVES'}  ${file}:${line}  ${from.replace(/\s+/g, ' ')}  =>  ${to.replace(/\s+/g, ' ')}`,
      );
    }
  };
  await Promise.all(Array.from({ length: Number(options.workers) }, work));
  const equivalent = results.filter((result) => result.equivalent).length;
  const killed = results.filter(({ killedBy }) => killedBy !== null).length;
  const score = (100 * killed) / (results.length - equivalent);
  console.log(
    `${results.length} mutants, ${killed} killed, ${equivalent} equivalent, ${results.length - killed - equivalent} live: ${score.toFixed(1)} %`,
  );
  if (options.json)
    writeFileSync(
      options.json,
      `${JSON.stringify({ schemaVersion: 1, seed: Number(options.seed), results }, undefined, 2)}\n`,
    );
  process.exitCode = score >= 90 ? 0 : 1;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 70;
});
