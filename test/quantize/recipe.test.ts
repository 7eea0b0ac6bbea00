// SPDX-License-Identifier: Apache-2.0
import { findRecipe, parseRecipe, recipeFlags, withChanges } from '../../src/quantize/recipe.js';
import { steps } from '../../src/quantize/steps.js';

const off = {
  repairVariance: false,
  equalize: false,
  absorbBias: false,
  activations: { method: 'minmax', percentile: 99.99 },
  pixelInput: false,
  weights: {
    method: 'minmax',
    po2: {
      solver: 'lsq-search',
      rounding: 'msqe',
      weighting: 'none',
      squareRoot: true,
      stable: false,
    },
  },
  reconstruct: false,
  correctBias: 'none',
  distill: false,
  wideOutput: false,
  outputRange: 'full',
};

const reconstruct = {
  method: 'gptq',
  damping: 0.01,
  asymmetry: 0,
  sweeps: 20,
  iterations: 250,
  positions: 16384,
  scales: true,
};

describe('the recipes by name', () => {
  it('best has these values', () => {
    expect(findRecipe('best')).toEqual({
      name: 'best',
      repairVariance: true,
      equalize: { iterations: 200 },
      absorbBias: false,
      activations: { method: 'mse', percentile: 99.99 },
      pixelInput: true,
      weights: {
        method: 'minmax',
        po2: {
          solver: 'lsq-search',
          rounding: 'msqe',
          weighting: 'none',
          squareRoot: true,
          stable: false,
        },
      },
      reconstruct,
      correctBias: 'analytic',
      distill: { epochs: 5, batch: 8, biasRate: 0.25, gainRate: 0.005, mostBits: 7 },
      wideOutput: true,
      outputRange: 'full',
    });
  });

  it('naive leaves every step out that can be left out', () => {
    expect(findRecipe('naive')).toEqual({ name: 'naive', ...off });
  });

  it('an empty file is naive by another name', () => {
    expect(parseRecipe('{}', 'empty.json')).toEqual({ name: 'custom', ...off });
  });
});

describe('recipes of users', () => {
  it('may name every key', () => {
    const distill = { epochs: 1, batch: 2, biasRate: 0.5, gainRate: 0.1, mostBits: 4 };
    const written = {
      name: 'mine',
      repairVariance: true,
      equalize: { iterations: 7 },
      absorbBias: true,
      activations: { method: 'percentile', percentile: 99.9 },
      pixelInput: true,
      weights: {
        method: 'po2',
        po2: {
          solver: 'gradient',
          rounding: 'ceil',
          weighting: 'fisher',
          squareRoot: false,
          outlierSigmas: 2,
          stable: true,
        },
      },
      reconstruct: { ...reconstruct, method: 'adaround', damping: 0.1 },
      correctBias: 'iterated',
      distill,
      wideOutput: true,
      outputRange: 'top',
    };
    expect(parseRecipe(JSON.stringify(written), 'mine.json')).toEqual(written);
  });

  it.each([
    ['{"equalise": {}}', 'equalise'],
    ['{"equalize": true}', 'equalize'],
    ['{"distill": {"mostBits": 1}}', 'distill'],
    ['{"correctBias": "both"}', 'correctBias'],
  ])('%s is an error that names the key', (text, key) => {
    expect(() => parseRecipe(text, 'wrong.json')).toThrow(key);
  });
});

describe('changes of single keys', () => {
  const best = findRecipe('best');

  it('are named in this order, whatever the order of steps', () => {
    const all = {
      outputRange: 'top',
      wideOutput: false,
      distill: true,
      biasCorrection: 'iterated',
      reconstruct: false,
      weightRanges: 'mse',
      pixelInput: false,
      ranges: 'kl',
      absorbBias: true,
      equalize: false,
      repairVariance: false,
    } as const;
    const { name, ...changed } = withChanges(best, all);
    expect(name).toBe(
      'best no-repair-variance no-equalize absorb-bias ranges=kl no-pixel-input weight-ranges=mse ' +
        'no-reconstruct bias-correction=iterated distill no-wide-output output-range=top',
    );
    expect(changed).toEqual({
      ...off,
      absorbBias: true,
      activations: { method: 'kl', percentile: 99.99 },
      weights: { ...off.weights, method: 'mse' },
      correctBias: 'iterated',
      // Whoever asks for gradients means any number of bits.
      distill: { epochs: 5, batch: 8, biasRate: 0.25, gainRate: 0.005, mostBits: 16 },
      outputRange: 'top',
    });
  });

  it('switch a step on with its defaults and keep settings that it has', () => {
    const mine = parseRecipe('{"equalize": {"iterations": 7}}', 'mine.json');
    const changed = withChanges(mine, { equalize: true, reconstruct: true });
    expect(changed.equalize).toEqual({ iterations: 7 });
    expect(changed.reconstruct).toEqual(reconstruct);
    expect(changed.name).toBe('custom equalize reconstruct');
  });

  it('leave the recipe alone', () => {
    withChanges(best, { equalize: false });
    expect(best.equalize).toEqual({ iterations: 200 });
    expect(withChanges(best, {})).toEqual(best);
  });
});

test('every key of a recipe has one option, in the order of the names', () => {
  expect(Object.values(recipeFlags).map(({ flags }) => flags)).toEqual([
    '--repair-variance',
    '--equalize',
    '--absorb-bias',
    '--ranges <method>',
    '--pixel-input',
    '--weight-ranges <method>',
    '--reconstruct',
    '--bias-correction <method>',
    '--distill',
    '--wide-output',
    '--output-range <how>',
  ]);
  const keys = steps.flatMap(({ entry }) => (entry === undefined ? [] : [entry.key as string]));
  expect(new Set([...keys, 'name'])).toEqual(new Set(Object.keys(findRecipe('best'))));
});
