// SPDX-License-Identifier: Apache-2.0
import type { ChannelFactors, LayerComparer, OpenedProgram } from '../analyze/index.js';
import { networkOf, openComparison } from '../analyze/index.js';
import type { LoadedSample } from '../data/index.js';
import { modelFiles, toNchw } from '../data/index.js';
import { Engine } from '../engine/engine.js';
import { ModelError } from '../errors.js';
import { topClasses } from '../evaluate/index.js';
import { openFloatRunner } from '../float/runner.js';
import type { FloatRunner, Graph, Node, Shape } from '../graph/graph.js';
import { elementCount } from '../graph/tensors.js';
import type { CodeTensor } from '../program/executor.js';
import type { Op, Program, ProgramTensor } from '../program/program.js';
import type { CompareDocument, PreprocessFacts } from '../report/index.js';
import { notesOf, presetOf, programOf } from './choose-program.js';
import type { SampleExecutor } from './executor.js';
import { openExecutor, trapFacts } from './executor.js';
import type { InputOptions } from './inputs.js';
import { openInputs, programInput } from './inputs.js';
import { loadFloatModel, loadQuantizedModel } from './load-model.js';
import type { ProgressListener } from './progress.js';
import { meterSums, type SumMeter, unprovenLayers } from './reached-sums.js';
import { evidenceOf } from './target-choice.js';

/** Options of `compare`, as on the command line. */
export interface CompareModelsOptions extends InputOptions {
  /** The float reference. */
  readonly float: string;
  /** Any quantized model of the same network. */
  readonly quant: string;
  readonly target?: string | undefined;
  readonly threads?: number | undefined;
  readonly onProgress?: ProgressListener | undefined;
}

/**
 * Compares a quantized model with its float original, layer by layer: behind its own quantized
 * predecessors, and alone on the quantized float input.
 * @throws UsageError, ModelError
 */
export async function compareModels(options: CompareModelsOptions): Promise<CompareDocument> {
  const { graph } = await loadFloatModel(options.float, options);
  const quantized = await loadQuantizedModel(options.quant, options);
  const program = programOf(quantized, options.target);
  const inputs = openInputs(programInput(program), presetOf(quantized), options);
  const factors =
    quantized.kind === 'quantized'
      ? (quantized.quantGraph.metadata.channelFactors ?? new Map<string, Float32Array>())
      : new Map<string, Float32Array>();
  const sides = { graph, program, factors };
  const comparison = await openSides(sides, options, inputs.preprocessing);
  const notes = [...comparison.notes, ...notesOf(quantized, program)];
  const about = { program, models: modelFiles({ float: options.float, quantized: options.quant }) };
  let images = 0;
  let agreeing = 0;
  try {
    for await (const sample of inputs.source) {
      inputs.note(sample);
      const { agrees, trap } = await comparison.add(sample);
      if (trap)
        return document(about, { ...comparison, notes }, inputs.facts(), images, agreeing, trap);
      images++;
      if (agrees) agreeing++;
      options.onProgress?.('compare', images, inputs.source.count);
    }
    return document(about, { ...comparison, notes }, inputs.facts(), images, agreeing);
  } finally {
    await comparison.close();
  }
}

type Trap = NonNullable<CompareDocument['trap']>;

interface Sides {
  readonly comparer: LayerComparer;
  readonly meter: SumMeter;
  readonly notes: readonly string[];
  add(sample: LoadedSample): Promise<{ agrees: boolean; trap?: Trap }>;
  close(): Promise<void>;
}

async function openSides(
  given: { readonly graph: Graph; readonly program: Program; readonly factors: ChannelFactors },
  options: CompareModelsOptions,
  preprocessing: Parameters<typeof openExecutor>[1],
): Promise<Sides> {
  const { graph, program, factors } = given;
  const names = matchNames(graph, program);
  const renamed = renameTensors(program, names);
  const comparer = await openComparison({
    program: renamed,
    floatValues: new Set(graph.shapes.keys()),
    factors,
    open: openEngine,
  });
  const [input] = graph.inputs;
  const [output] = graph.outputs;
  const taps = comparer.needs.filter((name) => name !== input!.name && name !== output!.name);
  const runner = await openFloatRunner(graph, taps, { threads: options.threads ?? 1 });
  const meter = meterSums(renamed, unprovenLayers(renamed));
  const executor = openExecutor(meter.program, preprocessing, { threads: options.threads });
  return {
    comparer,
    meter,
    notes: coverage(comparer, program),
    add: (sample) => addSample(sample, { graph, runner, executor, comparer, meter }),
    close: async () => {
      comparer.close();
      executor.close();
      await runner.close();
    },
  };
}

async function addSample(
  sample: LoadedSample,
  sides: {
    readonly graph: Graph;
    readonly runner: FloatRunner;
    readonly executor: SampleExecutor;
    readonly comparer: LayerComparer;
    readonly meter: SumMeter;
  },
): Promise<{ agrees: boolean; trap?: Trap }> {
  const { graph, runner, executor, comparer, meter } = sides;
  const [float, result] = await Promise.all([
    runner.run(sample.input),
    executor.run(sample, 'all'),
  ]);
  const { trap } = trapFacts(result);
  if (trap) return { agrees: false, trap: { ...trap, input: sample.name } };
  const values = new Map(float).set(graph.inputs[0]!.name, sample.input);
  await comparer.add(values, result.taps);
  meter.add(result);
  const best = (scores: ArrayLike<number>): number => topClasses(scores, 1)[0]!.index;
  const reference = float.get(graph.outputs[0]!.name)!;
  return { agrees: best(reference) === best(inFloatOrder(result.outputs[0]!)) };
}

/** Codes of an image in the order of the float network: channels outermost. */
function inFloatOrder({ data, channels }: CodeTensor): CodeTensor['data'] {
  return toNchw(data, channels);
}

function document(
  { program, models }: { readonly program: Program } & Pick<CompareDocument, 'models'>,
  sides: Sides,
  facts: PreprocessFacts,
  images: number,
  agreeing: number,
  trap?: Trap,
): CompareDocument {
  const layers = withChangedSums(sides);
  return {
    models,
    target: program.target,
    evidence: evidenceOf(program.target, program.metadata),
    layers,
    network: networkOf(program),
    output: layers.at(-1) ?? null,
    top1Agreement: images === 0 ? 0 : (100 * agreeing) / images,
    images,
    ...facts,
    notes: sides.notes,
    ...(trap ? { trap } : {}),
  };
}

/** Layers that are proven change none of their sums. */
function withChangedSums({ comparer, meter }: Sides): CompareDocument['layers'] {
  const layers = comparer.result();
  const reached = meter.result();
  if (reached.size === 0) return layers;
  return layers.map((layer) =>
    layer.op === 'conv'
      ? { ...layer, accumulatorChangedPercent: reached.get(layer.name)?.changedPercent ?? 0 }
      : layer,
  );
}

async function openEngine(program: Program): Promise<OpenedProgram> {
  const engine = Engine.load(program, { threads: 1 });
  return Promise.resolve({
    run: (codes) => engine.run(codes),
    close: () => {
      engine.close();
    },
  });
}

/**
 * Names of the float graph's values for the program's tensors: the same names where lastbit wrote
 * the file, else layer by layer in order where both have the same layers.
 * @throws ModelError `different-networks`
 */
function matchNames(graph: Graph, program: Program): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const [input] = graph.inputs;
  const own = program.tensors[program.input]!;
  const shape = [1, own.channels, own.height, own.width];
  if (String(input!.shape) !== String(shape)) {
    throw differ(`their inputs are [${input!.shape.join(', ')}] and [${shape.join(', ')}]`);
  }
  requireSameScores(graph, program);
  names.set(own.name, input!.name);
  const outputs = program.ops.map((op) => program.tensors[op.output]!.name);
  if (outputs.some((name) => graph.shapes.has(name))) {
    for (const { output } of program.ops) {
      const tensor = program.tensors[output]!;
      requireSameSize(tensor, graph.shapes.get(tensor.name));
      names.set(tensor.name, tensor.name);
    }
    return names;
  }
  for (const { ours, theirs } of counterparts) {
    const ops = program.ops.filter(({ op }) => ours.includes(op));
    const nodes = graph.nodes.filter(({ op }) => theirs.includes(op));
    const paired = pairInOrder(program, ops, graph, nodes, names);
    if (ours.includes('conv') && paired < nodes.length) {
      throw differ(`only ${paired} of ${nodes.length} layers with weights have equal shapes`);
    }
  }
  return names;
}

/** Networks of other numbers of classes are not the same, whatever their layers are called. */
function requireSameScores(graph: Graph, program: Program): void {
  const float = elementCount(graph.outputs[0]!.shape);
  const { channels, height, width } = program.tensors[program.outputs[0]!]!;
  const quantized = channels * height * width;
  if (float === quantized) return;
  throw differ(
    `the float one gives ${float} scores, the quantized one ${quantized}; give the float model that the quantized one was made from`,
  );
}

/** Values of one name hold as many elements on both sides. */
function requireSameSize(tensor: ProgramTensor, shape: Shape | undefined): void {
  const { name, channels, height, width } = tensor;
  if (shape === undefined || elementCount(shape) === channels * height * width) return;
  throw differ(
    `"${name}" is [${shape.join(', ')}] in the float one and [1, ${channels}, ${height}, ${width}] in the quantized one; ` +
      'give the float model that the quantized one was made from',
  );
}

/** Operators that stand for each other. */
const counterparts: readonly {
  readonly ours: readonly Op['op'][];
  readonly theirs: readonly Node['op'][];
}[] = [
  { ours: ['conv'], theirs: ['Conv', 'Gemm', 'MatMul'] },
  { ours: ['add'], theirs: ['Add'] },
  { ours: ['averagePool'], theirs: ['AveragePool', 'GlobalAveragePool'] },
  { ours: ['softmax'], theirs: ['Softmax'] },
];

/** Pairs each node with the next operation of its shape; returns how many nodes found one. */
function pairInOrder(
  program: Program,
  ops: readonly Op[],
  graph: Graph,
  nodes: readonly Node[],
  names: Map<string, string>,
): number {
  let paired = 0;
  for (const op of ops) {
    const value = nodes[paired]?.outputs[0];
    if (value === undefined) break;
    const tensor = program.tensors[op.output]!;
    const [, channels, height = 1, width = 1] = graph.shapes.get(value)!;
    if (channels !== tensor.channels || height !== tensor.height || width !== tensor.width)
      continue;
    names.set(tensor.name, value);
    paired++;
  }
  return paired;
}

function differ(reason: string): ModelError {
  return new ModelError(
    'different-networks',
    'compare',
    `the two models are not the same network: ${reason}`,
  );
}

/** Unmatched tensors get a name that no float value has. */
function renameTensors(program: Program, names: ReadonlyMap<string, string>): Program {
  const tensors = program.tensors.map((tensor) => ({
    ...tensor,
    name: names.get(tensor.name) ?? `(integer) ${tensor.name}`,
  }));
  return { ...program, tensors };
}

function coverage(comparer: LayerComparer, program: Program): string[] {
  const covered = comparer.result().length;
  return covered === program.ops.length
    ? []
    : [`${covered} of ${program.ops.length} operations have a float counterpart`];
}
