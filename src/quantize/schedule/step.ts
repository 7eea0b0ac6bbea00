// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';
import type { ChannelDistribution } from '../../calibrate/data-free/index.js';
import type { Needs, Statistics } from '../../calibrate/statistics.js';
import type { OpenFloatRunner } from '../../graph/graph.js';
import type { SampleSource } from '../../graph/samples.js';
import type { TargetConstraints } from '../../targets/target.js';
import type { Choices } from '../choices/choices.js';
import type { WeightScheme } from '../codes/weights.js';
import type { Solver } from '../reconstruct/solver.js';
import type { RecipeEntry, RecipeValues } from './recipe-entry.js';

/** What stays the same during one quantization. */
export interface Context {
  /** For entries to look themselves up in: `reconstructEntry.settingsIn(recipe)`. */
  readonly recipe: RecipeValues;
  readonly constraints: TargetConstraints;
  /** How weights become integers, where a layer has no scheme of its own. */
  readonly scheme: WeightScheme;
  readonly schemeOf: (layer: string) => WeightScheme;
  /** Convolutions on 16-bit activations. */
  readonly wideLayers: 'all' | ReadonlySet<string>;
  /** Empty where `inputDistribution` is given. */
  readonly samples: SampleSource;
  /** Without images: what the input looks like; statistics are derived from batch norms then. */
  readonly inputDistribution?: ChannelDistribution;
  /** What pixels become in the network's input, if that is what the samples are made of. */
  readonly pixels?: () => Float32Array | undefined;
  readonly openFloatRunner: OpenFloatRunner;
  readonly solver: Solver | undefined;
  readonly onProgress: (step: string, done: number, total: number) => void;
}

/** The choices made so far, and what is to be reported of them in the end. */
export interface State extends Choices {
  /** By value name, what each channel was multiplied by. */
  readonly channelFactors: ReadonlyMap<string, Float64Array>;
  /** Weight scales raised for a bias to fit its integer, by layer. */
  readonly raised: ReadonlyMap<string, number>;
  /** Values that are to have 16 bits where the others have 8. */
  readonly wide: ReadonlySet<string>;
}

/** A layer's name and what a step found out about it. */
export type LayerFigures = { readonly layer: string } & Readonly<
  Record<string, string | number | readonly number[]>
>;

/** What a step did. */
interface Outcome {
  /** The parts of the state that changed. */
  readonly state: Partial<State>;
  /** One line for people: what changed, with figures. */
  readonly changed: string;
  /** Figures by layer, where a step has some. */
  readonly layers?: readonly LayerFigures[];
  readonly warnings?: readonly string[];
}

/**
 * One algorithm of the recipe: it says what it has to know, then it applies. It is on where the
 * recipe's entry has settings for it and where it is `allowed`; everything else receives these
 * settings.
 */
export interface Step<Settings> {
  /** As `steps[]` of the report has it. */
  readonly name: string;
  /** Whether target, images and the rest of the recipe let it run; absent: always. */
  readonly allowed?: (settings: Settings, context: Context) => boolean;
  /**
   * Statistics of the float network as the state has it. Those of steps in a row are met in one
   * pass over the images. With `tail`, values before clamps are there too.
   */
  readonly needs?: (state: State, settings: Settings, context: Context) => Needs;
  /** Whether it replaces the float network, so that statistics before it are void. */
  readonly rewrites?: boolean;
  readonly apply: (
    state: State,
    statistics: Statistics,
    settings: Settings,
    context: Context,
  ) => Outcome | Promise<Outcome>;
}

/** A step that is on, with its settings and the context filled in. */
export interface ScheduledStep {
  readonly name: string;
  readonly rewrites: boolean;
  readonly needs: (state: State) => Needs;
  readonly apply: (state: State, statistics: Statistics) => Outcome | Promise<Outcome>;
}

/** A line of the list of steps. */
export interface ListedStep<Entry> {
  /** Its key of the recipe; undefined where other options ask for the step. */
  readonly entry: Entry;
  /** The step as the context asks for it; undefined where it is off. */
  readonly schedule: (context: Context) => ScheduledStep | undefined;
}

/** A step that a key of the recipe asks for. */
export function recipeStep<
  Key extends string,
  Schema extends z.ZodType,
  Settings,
  Name extends string,
  Change,
>(
  entry: RecipeEntry<Key, Schema, Settings, Name, Change>,
  step: Step<Settings>,
): ListedStep<RecipeEntry<Key, Schema, Settings, Name, Change>> {
  const { settingsIn } = entry;
  return { entry, schedule: (context) => scheduled(settingsIn(context.recipe), step, context) };
}

/** A step that options beside the recipe ask for. */
export function optionStep<Settings>(
  settingsIn: (context: Context) => false | Settings,
  step: Step<Settings>,
): ListedStep<undefined> {
  return { entry: undefined, schedule: (context) => scheduled(settingsIn(context), step, context) };
}

/** The one place that decides whether a step is on. */
function scheduled<Settings>(
  settings: false | Settings,
  { name, allowed, needs, rewrites = false, apply }: Step<Settings>,
  context: Context,
): ScheduledStep | undefined {
  if (settings === false || allowed?.(settings, context) === false) return undefined;
  return {
    name,
    rewrites,
    needs: (state) => needs?.(state, settings, context) ?? {},
    apply: (state, statistics) => apply(state, statistics, settings, context),
  };
}
