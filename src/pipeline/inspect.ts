// SPDX-License-Identifier: Apache-2.0
import {
  type NetworkSize,
  sizeOfGraph,
  sizeOfProgram,
  sizeOfQuantGraph,
} from '../analyze/index.js';
import { LastbitError, ModelError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { leftOutOf } from '../graph/left-out.js';
import type { QuantGraph } from '../graph/quant-graph.js';
import { type OnnxModel, type OnnxValueInfo, opsetOf } from '../onnx/file/model.js';
import { Budget, type Limits } from '../limits/budget.js';
import { importOnnx, unsupportedNodes } from '../onnx/float/import.js';
import { importQuantized } from '../onnx/quantized/import.js';
import { canonicalize } from '../passes/index.js';
import type { Program } from '../program/program.js';
import type { InspectDocument, UnsupportedEntry, ValueFacts } from '../report/index.js';
import { importFloatTflite } from '../tflite/float/import.js';
import { importTflite } from '../tflite/import.js';
import { isFloatTflite } from '../tflite/is-float.js';
import { readTflite } from '../tflite/reader.js';
import { chooseTarget, defaultFloatTarget, programOf } from './choose-program.js';
import { loadModel, readModelFile, type OnnxState } from './load-model.js';
import { resolveTarget } from './target-choice.js';
import { refusalOf } from './target-refusal.js';

type Content = Omit<InspectDocument, 'model' | 'format' | 'opset'>;
type FloatFacts = NetworkSize & Pick<Content, 'inputs' | 'outputs' | 'ops' | 'notes'>;

const unknownSize: NetworkSize = { layers: 0, macs: 0, params: 0 };

/**
 * What is in a model file. Nodes that lastbit does not support are listed, not thrown.
 * @param options.target whether it takes the model, and if not, why
 * @throws ModelError where the file is no model at all
 */
export async function inspectModel(
  options: { readonly model: string; readonly target?: string | undefined } & Limits,
): Promise<InspectDocument> {
  const document = await contentOf(options);
  const { model, target } = options;
  if (target === undefined) return document;
  return { ...document, accepted: await acceptance(model, target, options) };
}

/** Whether a target takes a model, and where not, its reason. */
async function acceptance(
  file: string,
  name: string,
  limits: Limits,
): Promise<NonNullable<InspectDocument['accepted']>> {
  const target = resolveTarget(name);
  const accepted = (refusal?: LastbitError) => ({
    target: target.id,
    ok: refusal === undefined,
    ...(refusal === undefined ? {} : { reason: `${refusal.where}: ${refusal.detail}` }),
  });
  try {
    const model = await loadModel(file, limits);
    if (model.kind === 'float') return accepted(await refusalOf(model.graph, target));
    programOf(model, name);
    return accepted();
  } catch (error) {
    if (error instanceof LastbitError) return accepted(error);
    throw error;
  }
}

async function contentOf(options: { readonly model: string } & Limits): Promise<InspectDocument> {
  const { model } = options;
  const budget = new Budget(options);
  const content = await readModelFile(model, budget);
  switch (content.format) {
    case 'lbp':
      return { model, format: 'lbp', opset: null, ...ofProgram(content.program) };
    case 'tflite':
      return {
        model,
        format: 'tflite',
        opset: null,
        ...(await ofTflite(content.bytes, model, budget)),
      };
    case 'onnx':
      return {
        model,
        format: 'onnx',
        opset: opsetOf(content.onnx),
        ...(await ofOnnx(content.onnx, content.state, budget)),
      };
  }
}

function ofOnnx(onnx: OnnxModel, state: OnnxState, budget: Budget): Content | Promise<Content> {
  switch (state) {
    case 'float':
      return ofFloat(onnx, budget);
    case 'qdq':
    case 'qop':
      return ofQuantizedOnnx(onnx, state, budget);
    case 'integer':
      return ofInteger(onnx);
  }
}

/** Layers are nodes there, so nothing is counted but these. */
function ofInteger(onnx: OnnxModel): Content {
  const target = onnx.metadata.get('lastbit.target');
  const quantization = { state: 'integer', ...(target === undefined ? {} : { target }) } as const;
  return { ...onnxFacts(onnx), ...unknownSize, quantization, unsupported: [] };
}

async function ofFloat(onnx: OnnxModel, budget: Budget): Promise<Content> {
  const unsupported = unsupportedNodes(onnx, budget);
  const base = { ...onnxFacts(onnx), quantization: { state: 'float' } as const };
  if (unsupported.length > 0) return { ...base, ...unknownSize, unsupported };
  return { ...base, ...(await floatFacts(importOnnx(onnx, budget))), unsupported };
}

/** What is in a float network as its file has it. */
async function floatFacts(imported: Graph): Promise<FloatFacts> {
  const graph = canonicalize(imported);
  return {
    ...sizeOfGraph(graph),
    inputs: imported.inputs,
    outputs: imported.outputs,
    ops: counts(imported),
    notes: [...leftOutOf(graph), ...(await refusedByDefault(graph))],
  };
}

/** What `quantize` says of the network unless another target is named. */
async function refusedByDefault(graph: Graph): Promise<string[]> {
  const refusal = await refusalOf(graph, resolveTarget(defaultFloatTarget));
  if (refusal === undefined) return [];
  return [`quantize refuses it, unless --target names one that takes it: ${refusal.message}`];
}

function ofQuantizedOnnx(onnx: OnnxModel, state: 'qdq' | 'qop', budget: Budget): Content {
  return orUnsupported(
    () => ofQuantGraph(importQuantized(onnx, budget), state, Object.fromEntries(onnx.metadata)),
    () => ({ ...onnxFacts(onnx), ...unknownSize, quantization: { state } }),
  );
}

async function ofTflite(bytes: Uint8Array, file: string, budget: Budget): Promise<Content> {
  const nothing = { inputs: [], outputs: [], ops: {}, preprocess: null, notes: [], metadata: {} };
  const isFloat = isFloatTflite(readTflite(bytes, file));
  const unknown = { ...unknownSize, ...nothing };
  if (!isFloat) {
    return orUnsupported(
      () => ofQuantGraph(importTflite(bytes, file, budget), 'tflite', {}),
      () => ({ ...unknown, quantization: { state: 'tflite' } }),
    );
  }
  const quantization = { state: 'float' } as const;
  const read = (): Graph | Content => importFloatTflite(bytes, file, budget);
  const found = orUnsupported(read, () => ({ ...unknown, quantization }));
  if ('unsupported' in found) return found;
  return { ...unknown, quantization, ...(await floatFacts(found)), unsupported: [] };
}

function orUnsupported<Read>(
  read: () => Read,
  otherwise: () => Omit<Content, 'unsupported'>,
): Read | Content {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ModelError) || !error.code.startsWith('unsupported')) throw error;
    const entry: UnsupportedEntry = { name: error.where, op: error.code, reason: error.detail };
    return { ...otherwise(), unsupported: [entry] };
  }
}

function ofQuantGraph(
  graph: QuantGraph,
  state: 'qdq' | 'qop' | 'tflite',
  metadata: Readonly<Record<string, string>>,
): Content {
  const perChannel = graph.nodes.some(
    (node) => node.op === 'Conv' && node.weight.scales.length > 1,
  );
  const { target, notes } = targetFacts(graph);
  return {
    ...sizeOfQuantGraph(graph),
    inputs: [valueFacts(graph, graph.input)],
    outputs: graph.outputs.map((name) => valueFacts(graph, name)),
    ops: counts(graph),
    quantization: { state, ...(target === undefined ? {} : { target }), perChannel },
    preprocess: graph.metadata.preprocess ?? null,
    notes: [...(graph.notes ?? []), ...notes],
    metadata,
    unsupported: [],
  };
}

/** The target that the model runs under where none is named, or why there is none. */
function targetFacts(graph: QuantGraph): {
  readonly target?: string;
  readonly notes: readonly string[];
} {
  try {
    return { target: chooseTarget(graph, undefined).id, notes: [] };
  } catch (error) {
    if (!(error instanceof LastbitError)) throw error;
    return { notes: [`${error.where}: ${error.detail}`] };
  }
}

function ofProgram(program: Program): Content {
  const { tensors, ops } = program;
  const facts = (index: number): ValueFacts => {
    const { name, dtype, height, width, channels, scale, zeroPoint } = tensors[index]!;
    return { name, dtype, shape: [1, height, width, channels], scale, zeroPoint };
  };
  return {
    ...sizeOfProgram(program),
    inputs: [facts(program.input)],
    outputs: program.outputs.map(facts),
    ops: counts({ nodes: ops }),
    quantization: { state: 'lbp', target: program.target },
    preprocess: program.metadata['lastbit.preprocess'] ?? null,
    notes: [],
    metadata: program.metadata,
    unsupported: [],
  };
}

function onnxFacts({
  graph,
  metadata,
}: OnnxModel): Pick<Content, 'inputs' | 'outputs' | 'ops' | 'preprocess' | 'notes' | 'metadata'> {
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  return {
    inputs: inputs.map(declared),
    outputs: graph.outputs.map(declared),
    ops: counts(graph),
    preprocess: metadata.get('lastbit.preprocess') ?? null,
    notes: [],
    metadata: Object.fromEntries(metadata),
  };
}

/** Sizes that the file leaves open are 0. */
function declared({ name, dtype, shape }: OnnxValueInfo): ValueFacts {
  const sides = (shape ?? []).map((side) => (typeof side === 'number' ? side : 0));
  return { name, dtype: dtype ?? 'unknown', shape: sides };
}

function valueFacts(graph: QuantGraph, name: string): ValueFacts {
  const { dtype, shape, scale, zeroPoint } = graph.values.get(name)!;
  return { name, dtype, shape, scale, zeroPoint };
}

function counts(
  graph: Pick<Graph, never> & { readonly nodes: readonly { readonly op: string }[] },
) {
  // A map, as operators may be called what every object has: constructor, __proto__.
  const result = new Map<string, number>();
  for (const { op } of graph.nodes) result.set(op, (result.get(op) ?? 0) + 1);
  return Object.fromEntries(result);
}
