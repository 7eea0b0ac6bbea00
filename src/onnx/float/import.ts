// SPDX-License-Identifier: Apache-2.0
// OnnxModel -> Graph, node by node. What can be computed from constants and shapes is computed on
// the way; every node that cannot be imported is collected, and all are reported at once.
import { ModelError } from '../../errors.js';
import { rebuild } from '../../graph/edit.js';
import type { Graph, Node, Shape, Tensor, ValueInfo } from '../../graph/graph.js';
import { takeGraph } from '../../graph/cost.js';
import { Budget } from '../../limits/budget.js';
import { inferShape } from '../../graph/shapes.js';
import { s64Tensor } from '../../graph/tensors.js';
import {
  type OnnxDType,
  type OnnxModel,
  type OnnxNode,
  type OnnxValueInfo,
  opsetOf,
} from '../file/model.js';
import { type Evaluate, type Imported, NodeContext, toTensor } from './context.js';
import { beforeArgMax } from './decisions.js';
import { evaluators } from './ops/constants.js';
import { takeFolded } from './folded-size.js';
import { dequantizeConstant } from './ops/dequantize.js';
import { operators, reasonFor } from './ops/index.js';
import { Unsupported, type UnsupportedNode, nameOf, problemsError } from './problems.js';
import { checkWeights } from './weights.js';

/** Operator set versions whose operators are known here: those above 24 add element types to them, and nothing else. */
const supportedOpsets = { min: 7, max: 28 } as const;

/**
 * Imports a float model. Sizes that the file leaves open are taken as 1 where they are the batch.
 *
 * @throws ModelError `unsupported-op` and others with every node that cannot be imported,
 *   `unsupported-opset`, `unknown-shape`, `missing-weight`, `non-finite-weights`
 */
export function importOnnx(file: OnnxModel, budget = new Budget()): Graph {
  const model = beforeArgMax(file);
  const walk = walkModel(model, budget);
  if (walk.problems.length > 0) throw problemsError(walk.problems);
  const { graph } = model;
  const outputs = graph.outputs.map(({ name }): ValueInfo => {
    const shape = walk.imported.shapes.get(name);
    if (shape === undefined) {
      throw new ModelError(
        'missing-value',
        `output "${name}"`,
        'expected a value that depends on the input, got none; export the model again',
      );
    }
    return { name, dtype: 'f32', shape };
  });
  const imported = rebuild(
    {
      name: graph.name,
      inputs: walk.inputs,
      outputs,
      nodes: walk.nodes,
      constants: walk.imported.constants,
      shapes: walk.imported.shapes,
      normalizations: new Map(),
      metadata: metadataOf(model),
    },
    {},
  );
  takeGraph(budget, imported);
  return imported;
}

/** The file's own; a network that takes bytes normalizes them itself. */
function metadataOf({ graph, metadata }: OnnxModel): ReadonlyMap<string, string> {
  const bytes = graph.inputs.some(
    ({ name, dtype }) => dtype === 'u8' && !graph.initializers.has(name),
  );
  return bytes ? new Map([['lastbit.preprocess', 'none'], ...metadata]) : metadata;
}

/**
 * Every node that {@link importOnnx} would refuse, in file order, with the reason. Nodes behind a
 * refused one are checked by name and operator only, because their input shapes are unknown.
 *
 * @throws ModelError where the model as a whole is at fault (`unsupported-opset`,
 *   `unknown-shape`)
 */
export function unsupportedNodes(
  model: OnnxModel,
  budget = new Budget(),
): readonly UnsupportedNode[] {
  return walkModel(beforeArgMax(model), budget).problems;
}

interface Walk {
  readonly inputs: readonly ValueInfo[];
  readonly nodes: readonly Node[];
  readonly imported: Imported;
  readonly problems: readonly UnsupportedNode[];
}

function walkModel(model: OnnxModel, budget: Budget): Walk {
  const opset = checkedOpset(model);
  const inputs = graphInputs(model);
  const { graph } = model;
  const imported: Imported = {
    constants: new Map([...graph.initializers].map(([name, t]) => [name, toTensor(t)])),
    shapes: new Map(inputs.map((input) => [input.name, input.shape])),
    nodeNames: new Set(),
    valueNames: new Set([
      ...graph.initializers.keys(),
      ...inputs.map((input) => input.name),
      ...graph.nodes.flatMap((node) => node.outputs),
    ]),
  };
  const nodes: Node[] = [];
  const problems: UnsupportedNode[] = [];
  const lost = new Set<string>();
  for (const node of graph.nodes) {
    const problem = knownOperator(node)
      ? node.inputs.some((name) => lost.has(name))
        ? undefined
        : attempt(() => nodes.push(...importNode(node, opset, imported, budget)))
      : { code: 'unsupported-op', reason: reasonFor(node.op, node.domain) };
    const { op, domain } = node;
    if (problem)
      problems.push({ name: nameOf(node), op, domain, opset: opsetIn(model, node), ...problem });
    for (const name of node.outputs) {
      if (!imported.shapes.has(name) && !imported.constants.has(name)) lost.add(name);
    }
  }
  return { inputs, nodes, imported, problems };
}

function opsetIn(model: OnnxModel, node: OnnxNode): number {
  return model.opsets.get(node.domain) ?? 0;
}

function knownOperator({ op, domain }: OnnxNode): boolean {
  return domain === '' && (operators.has(op) || evaluatorOf(op) !== undefined || shapeOps.has(op));
}

/** In a float network codes are weights, so that their meaning is known as well. */
function evaluatorOf(op: string): Evaluate | undefined {
  return op === 'DequantizeLinear' ? dequantizeConstant : evaluators.get(op);
}

/** Runs an import; what it throws on purpose becomes a problem of that node. */
function attempt(run: () => void): { code: string; reason: string } | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof Unsupported) {
      return { code: 'unsupported-op', reason: `${error.message} is not supported` };
    }
    if (error instanceof ModelError) return { code: error.code, reason: error.detail };
    throw error;
  }
}

/** Operators on the shape of a value, which is always known. */
const shapeOps = new Map<string, (shape: Shape, context: NodeContext) => Tensor>([
  [
    'Shape',
    (shape, { attributes }) =>
      s64Tensor(
        shape.slice(
          attributes.int('start', 0),
          attributes.has('end') ? attributes.int('end', 0) : undefined,
        ),
      ),
  ],
  [
    'Size',
    (shape) => ({
      dtype: 's64',
      shape: [],
      data: Float64Array.of(shape.reduce((product, size) => product * size, 1)),
    }),
  ],
]);

function importNode(
  node: OnnxNode,
  opset: number,
  imported: Imported,
  budget: Budget,
): readonly Node[] {
  const context = new NodeContext(node, opset, imported);
  const computed = evaluate(node, context, imported, budget);
  if (computed !== undefined) {
    context.attributes.finish();
    imported.constants.set(context.output, computed);
    return [];
  }
  const operator = operators.get(node.op);
  if (operator === undefined) throw new Unsupported('an input that is computed at run time');
  const made = operator(context);
  const nodes = 'op' in made ? [made] : made;
  context.attributes.finish();
  for (const each of nodes) {
    const shape = inferShape(each, (value) => shapeOf(imported, value, each));
    checkWeights(each, imported.constants);
    imported.shapes.set(each.outputs[0]!, shape);
  }
  return nodes;
}

/** The node's value if it can be known now. */
function evaluate(
  node: OnnxNode,
  context: NodeContext,
  imported: Imported,
  budget: Budget,
): Tensor | undefined {
  const ofShape = shapeOps.get(node.op);
  if (ofShape !== undefined) return ofShape(context.shape(0), context);
  const evaluator = evaluatorOf(node.op);
  const inputs = node.inputs.map((name) => imported.constants.get(name));
  const allKnown = node.inputs.every((name, i) => name === '' || inputs[i] !== undefined);
  if (evaluator === undefined || !allKnown) return undefined;
  takeFolded(budget, node, inputs);
  return evaluator(inputs, context.attributes, context);
}

function shapeOf(imported: Imported, value: string | undefined, node: Node): Shape {
  if (value === undefined) {
    throw new ModelError(
      'missing-value',
      `node "${node.name}"`,
      `has ${node.inputs.length} inputs, fewer than its operator needs; repair the model`,
    );
  }
  const shape = imported.shapes.get(value) ?? imported.constants.get(value)?.shape;
  if (shape !== undefined) return shape;
  throw new ModelError(
    'missing-weight',
    `node "${node.name}"`,
    `input "${value}" is neither computed nor stored in the file; export it with weights`,
  );
}

function checkedOpset(model: OnnxModel): number {
  const opset = opsetOf(model);
  const { min, max } = supportedOpsets;
  if (opset >= min && opset <= max) return opset;
  throw new ModelError(
    'unsupported-opset',
    'model',
    `expected operator set ${min} to ${max}, got ${opset === 0 ? 'none' : opset}; ` +
      `export with opset 13 or convert it`,
  );
}

/** Inputs that are not weights (IR versions below 4 list those too). */
function graphInputs(model: OnnxModel): ValueInfo[] {
  const { inputs, initializers } = model.graph;
  return inputs
    .filter((input) => !initializers.has(input.name) && isUsed(model, input.name))
    .map((input) => ({ name: input.name, dtype: 'f32', shape: inputShape(input) }));
}

function isUsed(model: OnnxModel, name: string): boolean {
  return model.graph.nodes.some((node) => node.inputs.includes(name));
}

/** Float types are taken as float32, and bytes as the pixel values that they are. */
const inputDTypes: ReadonlySet<OnnxDType | undefined> = new Set([
  undefined,
  'f32',
  'f16',
  'bf16',
  'f64',
  'u8',
]);

function inputShape(input: OnnxValueInfo): Shape {
  const where = `input "${input.name}"`;
  if (!inputDTypes.has(input.dtype)) {
    throw new ModelError(
      'unsupported-input',
      where,
      `expected float numbers or bytes, got ${input.dtype!}; export the float model, without quantization`,
    );
  }
  if (input.shape === undefined) {
    throw new ModelError('unknown-shape', where, 'has no shape; export the model with one');
  }
  return input.shape.map((size, axis) => {
    if (typeof size === 'number' && size > 0) return size;
    // The first axis is the batch, and lastbit runs one image at a time.
    if (axis === 0) return 1;
    throw new ModelError(
      'unknown-shape',
      where,
      `size ${axis} is open (${typeof size === 'string' ? `"${size}"` : 'not stated'}); ` +
        `export the model with a fixed image size`,
    );
  });
}
