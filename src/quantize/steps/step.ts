// SPDX-License-Identifier: Apache-2.0
import type { ChannelLaw } from '../../calibrate/data-free/index.js';
import type { Needs, Statistics } from '../../calibrate/statistics.js';
import type { OpenFloatRunner } from '../../graph/graph.js';
import type { SampleSource } from '../../graph/samples.js';
import type { TargetConstraints } from '../../targets/target.js';
import type { Recipe } from '../recipe.js';
import type { Solver } from '../solver.js';
import type { Choices } from '../state.js';
import type { WeightScheme } from '../weights.js';

/** What stays the same during one quantization. */
export interface Context {
  readonly recipe: Recipe;
  readonly constraints: TargetConstraints;
  /** How weights become integers, where a layer has no scheme of its own. */
  readonly scheme: WeightScheme;
  readonly schemeOf: (layer: string) => WeightScheme;
  /** Convolutions on 16-bit activations. */
  readonly wideLayers: 'all' | ReadonlySet<string>;
  /** Empty where `inputLaw` is given. */
  readonly samples: SampleSource;
  /** Without images: what the input looks like; statistics are derived from batch norms then. */
  readonly inputLaw?: ChannelLaw;
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
export interface Outcome {
  /** The parts of the state that changed. */
  readonly state: Partial<State>;
  /** One line for people: what changed, with figures. */
  readonly changed: string;
  /** Figures by layer, where a step has some. */
  readonly layers?: readonly LayerFigures[];
  readonly warnings?: readonly string[];
}

/** One algorithm of the recipe: it says what it has to know, then it applies. */
export interface Step {
  /** As `steps[]` of the report has it. */
  readonly name: string;
  /** Whether recipe and target ask for it. */
  readonly wanted: (context: Context) => boolean;
  /**
   * Statistics of the float network as the state has it. Those of steps in a row are met in one
   * pass over the images. With `tail`, values before clamps are there too.
   */
  readonly needs?: (state: State, context: Context) => Needs;
  /** Whether it looks at images itself: without them it is left out, and the report says so. */
  readonly needsImages?: boolean;
  /** Whether it replaces the float network, so that statistics before it are void. */
  readonly rewrites?: boolean;
  readonly apply: (
    state: State,
    statistics: Statistics,
    context: Context,
  ) => Outcome | Promise<Outcome>;
}
