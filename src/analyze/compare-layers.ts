// SPDX-License-Identifier: Apache-2.0
import type { Codes } from '../numeric/code-types.js';
import type { CodeTensor, RunResult } from '../program/executor.js';
import type { ConvOp, Op, Program, ProgramTensor } from '../program/program.js';
import { type ChannelFactors, scaleChannels } from './channel-factors.js';
import { codesToNchw, quantizeFromNchw } from './codes.js';
import type { TensorError } from './error-sums.js';
import { type Isolated, isolate } from './isolate.js';
import { LayerErrors } from './layer-errors.js';
import { SaturationCount } from './saturation.js';

/** One layer of a quantized network beside the same layer in float. */
export interface LayerComparison extends TensorError {
  readonly name: string;
  readonly op: Op['op'];
  readonly kind: string;
  /** The layer run alone on the float input quantized; undefined where it cannot stand alone. */
  readonly sqnrIsolatedDb: number | undefined;
  /** Root of the mean squared error in steps of the layer's own codes, behind its predecessors and alone. */
  readonly rmsErrorLsb: number;
  readonly rmsErrorIsolatedLsb: number | undefined;
  /** Largest error in these steps, behind its predecessors and alone. */
  readonly maxErrorLsb: number;
  readonly maxErrorIsolatedLsb: number | undefined;
  /** See `SaturationCount`. */
  readonly saturatedPercent: number;
}

/** Runs one program on NHWC codes; closed when no longer needed. */
export interface OpenedProgram {
  run(codes: Codes): Promise<RunResult>;
  close(): void;
}

export interface CompareOptions {
  readonly program: Program;
  /** Names of the float values at hand: the comparison covers tensors of these names. */
  readonly floatValues: ReadonlySet<string>;
  /** Of rescaled channels; errors are stated in the float original's units all the same. */
  readonly factors?: ChannelFactors;
  /** Opens the small programs of single layers. */
  readonly open: (program: Program) => Promise<OpenedProgram>;
}

interface Layer {
  readonly op: Op;
  readonly output: ProgramTensor;
  readonly inputs: readonly ProgramTensor[];
  readonly factors: ChannelFactors;
  readonly accumulated: LayerErrors;
  readonly isolated: LayerErrors;
  readonly saturation: SaturationCount;
  readonly alone: { readonly part: Isolated; readonly executor: OpenedProgram } | undefined;
}

/** Compares image after image in constant memory; made by `openComparison`. */
export interface LayerComparer {
  /** Names of the float values that `add` reads. */
  readonly needs: readonly string[];
  /**
   * @param float f32 NCHW by value name, the network's input included
   * @param taps all tensors of the integer run
   */
  add(
    float: ReadonlyMap<string, Float32Array>,
    taps: ReadonlyMap<string, CodeTensor>,
  ): Promise<void>;
  /** In program order. */
  result(): LayerComparison[];
  close(): void;
}

/** Prepares a layer-by-layer comparison of a program with the float values of the same names. */
export async function openComparison(options: CompareOptions): Promise<LayerComparer> {
  const layers: Layer[] = [];
  for (const op of options.program.ops) {
    const layer = await openLayer(op, options);
    if (layer) layers.push(layer);
  }
  const used = layers.flatMap(({ output, inputs }) => [output, ...inputs]);
  const names = used.map(({ name }) => name).filter((name) => options.floatValues.has(name));
  return {
    needs: [...new Set(names)],
    add: async (float, taps) => {
      for (const layer of layers) await addImage(layer, float, taps);
    },
    result: () => layers.map(summarize),
    close: () => {
      for (const { alone } of layers) alone?.executor.close();
    },
  };
}

async function openLayer(op: Op, options: CompareOptions): Promise<Layer | undefined> {
  const { program, floatValues, open } = options;
  const inputs = op.inputs.map((index) => program.tensors[index]!);
  const output = program.tensors[op.output]!;
  if (!floatValues.has(output.name) || reorders(op, inputs)) return undefined;
  const known = inputs.every(({ name }) => floatValues.has(name));
  const part = known ? isolate(program, op) : undefined;
  const factors: ChannelFactors = options.factors ?? new Map();
  return {
    ...{ op, output, inputs, factors },
    accumulated: new LayerErrors(output, factors.get(output.name)),
    isolated: new LayerErrors(output, factors.get(output.name)),
    saturation: new SaturationCount(output),
    alone: part && { part, executor: await open(part.program) },
  };
}

/** A reshape keeps NHWC order in a program and NCHW order in a graph. */
function reorders(op: Op, [input]: readonly ProgramTensor[]): boolean {
  return op.op === 'reshape' && input!.height * input!.width > 1;
}

async function addImage(
  layer: Layer,
  float: ReadonlyMap<string, Float32Array>,
  taps: ReadonlyMap<string, CodeTensor>,
): Promise<void> {
  const { output, inputs, factors, alone } = layer;
  const reference = float.get(output.name)!;
  const tensor = taps.get(output.name)!;
  const own = factors.get(output.name);
  layer.accumulated.add(reference, tensor.data);
  layer.saturation.add(scaleChannels(reference, own, 'multiply'), codesToNchw(tensor.data, output));
  if (!alone) return;
  const codes = inputs.map((input) => {
    const value = float.get(input.name)!;
    return quantizeFromNchw(scaleChannels(value, factors.get(input.name), 'multiply'), input);
  });
  const { outputs } = await alone.executor.run(alone.part.join(codes));
  // No outputs: the accumulator trapped, on this layer alone.
  const [result] = outputs;
  if (result) layer.isolated.add(reference, result.data);
}

function summarize({ op, output, inputs, alone, ...sums }: Layer): LayerComparison {
  return {
    name: op.name,
    op: op.op,
    kind: op.op === 'conv' ? kindOf(op, inputs[0]!, output) : op.op,
    ...sums.accumulated.result(),
    sqnrIsolatedDb: alone ? sums.isolated.result().sqnrDb : undefined,
    rmsErrorLsb: sums.accumulated.rmsLsb,
    rmsErrorIsolatedLsb: alone ? sums.isolated.rmsLsb : undefined,
    maxErrorLsb: sums.accumulated.maxLsb,
    maxErrorIsolatedLsb: alone ? sums.isolated.maxLsb : undefined,
    saturatedPercent: sums.saturation.percent(),
  };
}

/** What people call this form of convolution. */
function kindOf(op: ConvOp, input: ProgramTensor, output: ProgramTensor): string {
  const single = op.kernel[0] * op.kernel[1] === 1;
  if (op.groups > 1) return op.groups === input.channels ? 'depthwise' : 'grouped';
  if (!single) return 'dense';
  const onePixel = input.height * input.width * output.height * output.width === 1;
  return onePixel ? 'fullyConnected' : 'pointwise';
}
