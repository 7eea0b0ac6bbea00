// SPDX-License-Identifier: Apache-2.0
// A systolic array and a depthwise unit, simulated with the checkers that `golden` writes: the right
// design passes, every planted mistake is found at its first wrong number and called by its name.
// Needs Icarus Verilog; LASTBIT_VERILATOR names a Verilator, LASTBIT_COCOTB a Python that has cocotb 2.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { faults } from './faults.js';
import { writeLayers } from './layers.js';

const has = (command: string, ...args: string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const icarus = has('iverilog', '-V');
const verilator = process.env.LASTBIT_VERILATOR;
const python = process.env.LASTBIT_COCOTB;

const designs = ['systolic', 'depthwise'] as const;
type Design = (typeof designs)[number];

let folder: string;
let layers: Readonly<Record<Design, string>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lastbit-rtl-'));
  const vectors = await writeLayers(folder);
  const [first, second] = readdirSync(join(vectors, 'layers')).sort();
  const at = (name: string) => join(vectors, 'layers', name);
  layers = { systolic: at(first!), depthwise: at(second!) };
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Sources and macros of a design with its checker. */
function sourcesOf(design: Design) {
  const layer = layers[design];
  const checker = join(layer, 'checker');
  const files = [join(checker, 'checker.sv'), join(__dirname, `${design}.sv`)];
  const macros = {
    LASTBIT_DIR: `"${checker}"`,
    LAYER_DIR: `"${layer}"`,
    LASTBIT_CHECK: `lastbit_check_${design === 'systolic' ? '000' : '001'}`,
  };
  const defines = Object.entries(macros).map(([name, value]) => `${name}=${value}`);
  return { files, defines };
}

/** What a compiled simulation prints. */
type Simulate = (...plusargs: string[]) => string;

function withIcarus(design: Design): Simulate {
  const { files, defines } = sourcesOf(design);
  const compiled = join(folder, `${design}.vvp`);
  const macros = defines.map((define) => `-D${define}`);
  const sources = [...files, join(__dirname, 'bench.sv')];
  execFileSync('iverilog', [
    ...['-g2012', '-I', __dirname, '-s', 'bench', '-o', compiled],
    ...macros,
    ...sources,
  ]);
  return (...plusargs) => execFileSync('vvp', ['-n', compiled, ...plusargs], { encoding: 'utf8' });
}

function withVerilator(design: Design): Simulate {
  const { files, defines } = sourcesOf(design);
  const out = join(folder, `${design}-verilator`);
  const macros = defines.map((define) => `-D${define}`);
  const sources = [...files, join(__dirname, 'bench.sv')];
  execFileSync(verilator!, [
    ...['--binary', '--timing', '-Wno-fatal', '-Wno-lint', `-I${__dirname}`],
    ...['--top-module', 'bench', '--Mdir', out, '-j', '2'],
    ...macros,
    ...sources,
  ]);
  return (...plusargs) =>
    execFileSync(join(out, 'Vbench'), plusargs, { encoding: 'utf8', cwd: folder });
}

function checkDesign(design: Design, simulate: Simulate): void {
  expect(simulate()).toMatch(/all 360 numbers as expected\s+PASSED/);
  const firstWrong = new Set<string>();
  for (const { plusargs, cause, only } of faults) {
    if (only !== undefined && only !== design) continue;
    const said = simulate(plusargs);
    const causes = Array.from(said.matchAll(/likely cause: (.*)/g), ([, name]) => name);
    expect([plusargs, causes]).toEqual([plusargs, expect.arrayContaining([cause])]);
    expect(said).toMatch(/FAILED/);
    expect(said).toMatch(/expected -?\d+, got -?\d+/);
    firstWrong.add(/number (\d+) of/.exec(said)![1]!);
    // Rules that send the first tie the same way begin alike; more would be no help.
    expect(causes.length).toBeLessThanOrEqual(4);
  }
  expect(firstWrong.size).toBeGreaterThan(3);
}

describe.each(designs)('%s', (design) => {
  (icarus ? test : test.skip)('Icarus Verilog', () => {
    checkDesign(design, withIcarus(design));
  });

  (verilator === undefined ? test.skip : test)('Verilator', () => {
    checkDesign(design, withVerilator(design));
  });

  (python === undefined || !icarus ? test.skip : test)('cocotb: right and wrong', () => {
    const { files, defines } = sourcesOf(design);
    const run = (plusargs: string) =>
      spawnSync(
        python!,
        [join(__dirname, 'run_cocotb.py'), join(layers[design], 'checker'), plusargs],
        {
          encoding: 'utf8',
          cwd: folder,
          env: { ...process.env, RTL_FILES: files[1], RTL_DEFINES: defines.join('\n') },
        },
      );
    const right = run('');
    expect([right.status, right.stdout + right.stderr]).toEqual([
      0,
      expect.stringContaining('all 360 numbers as expected'),
    ]);
    for (const fault of faults.filter(({ only }) => only === undefined || only === design)) {
      const { status, stdout, stderr } = run(fault.plusargs);
      expect(status).toBe(1);
      expect(stdout + stderr).toContain(`likely cause: ${fault.cause}`);
    }
  });
});
