// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { roundingMethods } from './solver.js';
import { po2Schema } from './po2/settings.js';
import { rangeMethods } from './ranges.js';

/** Which range of its values an activation can express. */
const activationSchema = z.strictObject({
  method: z.enum(rangeMethods).default('minmax'),
  /** For `percentile`: share kept on each side, in percent. */
  percentile: z.number().min(50).max(100).default(99.99),
});

const weightSchema = z.strictObject({
  method: z.enum(['minmax', 'mse', 'po2']).default('minmax'),
  /** For `po2`: exponents after Bae et al. 2022. */
  po2: po2Schema.prefault({}),
});

/** Search for integer weights that reproduce each layer's float output. */
const reconstructSchema = z.strictObject({
  method: z.enum(roundingMethods).default('gptq'),
  /** Pull towards the float weights: a share of the inputs' mean variance. */
  damping: z.number().min(1e-6).max(100).default(0.01),
  /** Share of the error from before that each layer makes good. */
  asymmetry: z.number().min(0).max(1).default(0),
  /** Most rounds of coordinate descent. */
  sweeps: z.number().int().min(0).max(1000).default(20),
  /** Steps of `adaround`. */
  iterations: z.number().int().min(1).max(100000).default(250),
  /** Positions that are looked at in each layer, over all images. */
  positions: z.number().int().min(1).max(10000000).default(16384),
  /** Chooses scales along with the integers. */
  scales: z.boolean().default(true),
});

/** Biases and scales by gradient descent on the scores' error. */
const distillSchema = z.strictObject({
  /** Times that every image is looked at. */
  epochs: z.number().int().min(1).max(1000).default(5),
  /** Images between two updates. */
  batch: z.number().int().min(1).max(1000).default(8),
  /** First steps, relative to the amplitude of the scores' error: of 1/255 of an output's range, */
  biasRate: z.number().min(0).max(100).default(0.25),
  /** and of a scale. */
  gainRate: z.number().min(0).max(1).default(0.005),
  /** Left out where weights have more bits. */
  mostBits: z.number().int().min(2).max(16).default(16),
});

/**
 * What quantization does, in this order; a step that is false or absent is left out. Every key is
 * optional and unknown keys are errors.
 */
export const recipeSchema = z.strictObject({
  name: z.string().min(1).default('custom'),
  /** Gives channels whose batch norm saw no variance the mean variance of the others. */
  repairVariance: z.boolean().default(false),
  /** Rescales channels between layers for the least quantization noise. */
  equalize: z
    .union([
      z.literal(false),
      z.strictObject({
        /** Steps of the optimizer. */
        iterations: z.number().int().min(0).max(10000).default(200),
      }),
    ])
    .default(false),
  /** Hands biases that keep a ReLU open on to the next layers, so that ranges shrink. */
  absorbBias: z.boolean().default(false),
  activations: activationSchema.prefault({}),
  /** Moves the input's scale a little where the values of pixels fall half way between its steps. */
  pixelInput: z.boolean().default(false),
  weights: weightSchema.prefault({}),
  reconstruct: z.union([z.literal(false), reconstructSchema]).default(false),
  /** `analytic` matches the means of each layer by itself, `iterated` those of the quantized network. */
  correctBias: z.enum(['none', 'analytic', 'iterated']).default('none'),
  distill: z.union([z.literal(false), distillSchema]).default(false),
  /** Lets the last layer write 16 or 32 bits where the target can. */
  wideOutput: z.boolean().default(false),
  /** `top` spends all codes of an 8-bit output on scores that can win; the others saturate. */
  outputRange: z.enum(['full', 'top']).default('full'),
});

export type Recipe = z.output<typeof recipeSchema>;

/** Whether gradients are asked for where weights have `bits`. */
export function distills({ distill }: Recipe, bits: number): boolean {
  return distill !== false && bits <= distill.mostBits;
}

/** Single keys given beside a recipe; they go before it. `true` asks for a step's own defaults. */
export interface RecipeChanges {
  readonly repairVariance?: boolean | undefined;
  readonly equalize?: boolean | undefined;
  readonly absorbBias?: boolean | undefined;
  readonly ranges?: Recipe['activations']['method'] | undefined;
  readonly pixelInput?: boolean | undefined;
  readonly weightRanges?: Recipe['weights']['method'] | undefined;
  readonly reconstruct?: boolean | undefined;
  readonly biasCorrection?: Recipe['correctBias'] | undefined;
  readonly distill?: boolean | undefined;
  readonly wideOutput?: boolean | undefined;
  readonly outputRange?: Recipe['outputRange'] | undefined;
}

/** The recipe with the changes made; its name says so. */
export function withChanges(recipe: Recipe, changes: RecipeChanges): Recipe {
  const { repairVariance, ranges, weightRanges, biasCorrection, wideOutput } = changes;
  const changed: Recipe = {
    ...recipe,
    repairVariance: repairVariance ?? recipe.repairVariance,
    equalize: switched(recipe.equalize, changes.equalize, recipeSchema.shape.equalize),
    absorbBias: changes.absorbBias ?? recipe.absorbBias,
    activations: { ...recipe.activations, method: ranges ?? recipe.activations.method },
    pixelInput: changes.pixelInput ?? recipe.pixelInput,
    weights: { ...recipe.weights, method: weightRanges ?? recipe.weights.method },
    reconstruct: switched(recipe.reconstruct, changes.reconstruct, recipeSchema.shape.reconstruct),
    correctBias: biasCorrection ?? recipe.correctBias,
    distill: switched(
      askedFor(recipe.distill, changes),
      changes.distill,
      recipeSchema.shape.distill,
    ),
    wideOutput: wideOutput ?? recipe.wideOutput,
    outputRange: changes.outputRange ?? recipe.outputRange,
  };
  return { ...changed, name: [recipe.name, ...namesOf(changes)].join(' ') };
}

/** Whoever asks for gradients means any number of bits. */
function askedFor(distill: Recipe['distill'], changes: RecipeChanges): Recipe['distill'] {
  return changes.distill === true ? false : distill;
}

/** A step that is off or has settings: `true` keeps those it has, or takes the defaults. */
function switched<Settings extends object>(
  present: false | Settings,
  change: boolean | undefined,
  schema: z.ZodType<false | Settings>,
): false | Settings {
  if (change === undefined || (change && present !== false)) return present;
  return change ? schema.parse({}) : false;
}

const changeKeys = [
  'repairVariance',
  'equalize',
  'absorbBias',
  'ranges',
  'pixelInput',
  'weightRanges',
  'reconstruct',
  'biasCorrection',
  'distill',
  'wideOutput',
  'outputRange',
] as const satisfies readonly (keyof RecipeChanges)[];

/** As on the command line: `no-equalize`, `ranges=percentile`. */
function namesOf(changes: RecipeChanges): string[] {
  return changeKeys.flatMap((key) => {
    const value = changes[key];
    if (value === undefined) return [];
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return [typeof value === 'string' ? `${flag}=${value}` : value ? flag : `no-${flag}`];
  });
}

/** Names that `--recipe` takes besides a file. */
export const recipeNames = ['best', 'naive'] as const;

const recipes: Readonly<Record<(typeof recipeNames)[number], Recipe>> = {
  best: recipeSchema.parse({
    name: 'best',
    repairVariance: true,
    equalize: {},
    activations: { method: 'mse' },
    pixelInput: true,
    weights: { method: 'minmax' },
    reconstruct: {},
    correctBias: 'analytic',
    distill: { mostBits: 7 },
    wideOutput: true,
  }),
  naive: recipeSchema.parse({ name: 'naive' }),
};

/**
 * The recipe of a name, or read from a JSON file.
 *
 * @throws UsageError for a name that is neither, and for a file that is not a recipe
 */
export function findRecipe(nameOrFile: string): Recipe {
  const known = recipeNames.find((name) => name === nameOrFile);
  if (known !== undefined) return recipes[known];
  if (!nameOrFile.endsWith('.json')) {
    throw new UsageError(
      'unknown-recipe',
      `--recipe ${nameOrFile}`,
      `expected ${recipeNames.join(', ')} or a .json file`,
    );
  }
  return parseRecipe(readText(nameOrFile), nameOrFile);
}

/**
 * @param text JSON
 * @param where the file's name, for messages
 * @throws UsageError naming the key at fault
 */
export function parseRecipe(text: string, where: string): Recipe {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UsageError('bad-recipe', where, `is not JSON: ${(error as Error).message}`);
  }
  const result = recipeSchema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${issue.path.length === 0 ? 'recipe' : issue.path.join('.')}: ${issue.message}`,
  );
  throw new UsageError('bad-recipe', where, problems.join('; '));
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError('bad-recipe', file, `cannot be read: ${(error as Error).message}`);
  }
}
