// SPDX-License-Identifier: Apache-2.0
// Every operator of float graphs under every target and both recipes: a network ends in a program that runs,
// or in a refusal of lastbit's own that `inspect` finds as well: by the same passes, or by what it asks of the
// target (pipeline/target-refusal.ts).
import { distributionNeeds, distributionsOf, untilScores } from '../../src/analyze/index.js';
import { collect } from '../../src/calibrate/collect.js';
import { Engine } from '../../src/engine/engine.js';
import { nativeSolver } from '../../src/engine/solver.js';
import { LastbitError } from '../../src/errors.js';
import { openFloatRunner } from '../../src/float/runner.js';
import type { Graph } from '../../src/graph/graph.js';
import { writeQdq } from '../../src/onnx/write/qdq.js';
import { canonicalize } from '../../src/passes/index.js';
import { refusalOf } from '../../src/pipeline/target-refusal.js';
import { lower } from '../../src/program/lower.js';
import { quantizeGraph } from '../../src/quantize/quantize.js';
import { findRecipe, recipeNames } from '../../src/quantize/recipe.js';
import { allTargets } from '../../src/targets/index.js';
import type { TargetSpec } from '../../src/targets/target.js';
import { everyOperator, randomNet } from './random-operators.js';
import { randomSamples } from './small-graphs.js';

const count = Number(process.env.LASTBIT_NETS ?? 200);

/** How one network ended: `ran`, or the code of the refusal. */
async function outcomeOf(graph: Graph, target: TargetSpec, recipe: string): Promise<string> {
  let canonical: Graph;
  try {
    canonical = canonicalize(graph);
  } catch (error) {
    if (error instanceof LastbitError) return refused(error);
    throw error;
  }
  const samples = randomSamples(canonical, 2);
  try {
    const { quantGraph } = await quantizeGraph({
      ...{ graph: canonical, samples, openFloatRunner, solver: nativeSolver(1) },
      ...{ constraints: target.constraints, recipe: findRecipe(recipe) },
    });
    const program = lower(quantGraph, target);
    writeQdq(quantGraph);
    const engine = Engine.load(program, { threads: 1 });
    for await (const { input } of samples) await engine.run(input);
    engine.close();
    return 'ran';
  } catch (error) {
    if (!(error instanceof LastbitError)) throw error;
    expectBrief(error);
    const known = await refusalOf(canonical, target);
    return known === undefined ? `unknown to inspect: ${error.message}` : `inspect: ${known.code}`;
  }
}

/** Where `inspect` says so as well. */
function refused(error: LastbitError): string {
  expectBrief(error);
  return `inspect: ${error.code}`;
}

/** What a person reads at once. */
function expectBrief({ message }: LastbitError): void {
  if (message.length > 600)
    throw new Error(`a refusal of ${message.length} characters: ${message}`);
}

async function analyzed(graph: Graph): Promise<void> {
  const scores = untilScores(canonicalize(graph));
  const samples = randomSamples(scores, 2);
  const needs = distributionNeeds(scores);
  distributionsOf(scores, await collect(scores, samples, openFloatRunner, needs));
}

test(
  `${count} networks end in a result or in a refusal that inspect gives as well`,
  async () => {
    const outcomes = new Map<string, number>();
    const unexpected: string[] = [];
    for (let i = 0; i < count; i++) {
      const op = everyOperator[i % everyOperator.length]!;
      const target =
        allTargets[(7 * i + Math.floor(i / everyOperator.length)) % allTargets.length]!;
      const recipe = recipeNames[Math.floor(i / 2) % 2]!;
      const where = `seed ${i}, ${op}, ${target.id}, ${recipe}`;
      try {
        const graph = randomNet(i, op);
        const outcome = await outcomeOf(graph, target, recipe);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        if (!allowed.test(outcome)) unexpected.push(`${where}: ${outcome}`);
        if (outcome === 'ran' && i % 4 === 0) await analyzed(graph);
      } catch (error) {
        unexpected.push(`${where}: ${(error as Error).stack!.split('\n').slice(0, 6).join(' | ')}`);
      }
    }
    if (process.env.LASTBIT_VERBOSE !== undefined) console.log(Object.fromEntries(outcomes));
    expect(unexpected).toEqual([]);
    // The generator makes networks that are worth something.
    expect(outcomes.get('ran')!).toBeGreaterThan(0.4 * count);
  },
  600_000 + 3000 * count,
);

const allowed = /^(ran|inspect: (unsupported-graph|target-constraint))$/;
