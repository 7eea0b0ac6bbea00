// SPDX-License-Identifier: Apache-2.0
// Functions that an ONNX file defines for itself, as PyTorch's and onnxruntime's tools write them: each node
// that calls one becomes the nodes of its body. Domains of functions are no standard's, so that nothing else
// could read such a node.
import type { Budget } from '../../limits/budget.js';
import type { AttributeMessage, FunctionMessage, ModelMessage, NodeMessage } from './protobuf.js';

/** Bytes that a node takes, of a body that is written out. */
const bytesEach = 1000;
/** Calls within calls; a function that calls itself ends here and stays a call. */
const deepest = 32;

/** The nodes of the graph with every call that can be replaced written out. */
export function inlineFunctions(
  { functions }: ModelMessage,
  nodes: readonly NodeMessage[],
  budget: Budget,
): readonly NodeMessage[] {
  const known = new Map((functions ?? []).map((one) => [keyOf(one.domain, one.name), one]));
  if (known.size === 0) return nodes;
  const places = new Counter();
  return nodes.flatMap((node) => inlined(node, { known, budget, places }, 0));
}

interface Context {
  readonly known: ReadonlyMap<string, FunctionMessage>;
  readonly budget: Budget;
  readonly places: Counter;
}

/** Numbers calls, so that the inner names of two of them differ. */
class Counter {
  private count = 0;
  next(): number {
    return ++this.count;
  }
}

const keyOf = (domain: string | null | undefined, name: string | null | undefined): string =>
  `${domain ?? ''} ${name ?? ''}`;

function inlined(node: NodeMessage, context: Context, depth: number): readonly NodeMessage[] {
  const body = context.known.get(keyOf(node.domain, node.opType));
  if (body === undefined || depth >= deepest) return [node];
  // What comes out as it went in would need a node of its own.
  if ((body.output ?? []).some((name) => body.input?.includes(name) ?? false)) return [node];
  const inner = body.node ?? [];
  const call = (node.name ?? '') === '' ? (node.output?.[0] ?? 'call') : node.name!;
  context.budget.takeMemory(
    bytesEach * inner.length,
    `node "${call}"`,
    'the function that it calls',
  );
  const names = namesIn(node, body, `${call}/${context.places.next()}`);
  const attributes = new Map((node.attribute ?? []).map((one) => [one.name ?? '', one]));
  const written = inner.map((one) => renamed(one, names, attributes));
  if (!written.every((one) => one !== undefined)) return [node];
  return written.flatMap((one) => inlined(one, context, depth + 1));
}

/** What each name of the body is outside of it. */
function namesIn(
  node: NodeMessage,
  body: FunctionMessage,
  prefix: string,
): (name: string) => string {
  const outer = new Map<string, string>();
  (body.input ?? []).forEach((name, i) => outer.set(name, node.input?.[i] ?? ''));
  (body.output ?? []).forEach((name, i) => {
    const wanted = node.output?.[i] ?? '';
    if (wanted !== '') outer.set(name, wanted);
  });
  return (name) => (name === '' ? '' : (outer.get(name) ?? `${prefix}/${name}`));
}

/** Undefined where an attribute is the caller's, who gave none: defaults are in no file that is read here. */
function renamed(
  node: NodeMessage,
  names: (name: string) => string,
  given: ReadonlyMap<string, AttributeMessage>,
): NodeMessage | undefined {
  const attributes: AttributeMessage[] = [];
  for (const attribute of node.attribute ?? []) {
    const reference = attribute.refAttrName ?? '';
    if (reference === '') {
      attributes.push(attribute);
      continue;
    }
    const value = given.get(reference);
    if (value === undefined) return undefined;
    attributes.push({ ...value, name: attribute.name ?? '', refAttrName: '' });
  }
  return {
    name: (node.name ?? '') === '' ? '' : names(`node ${node.name!}`),
    opType: node.opType ?? '',
    domain: node.domain ?? '',
    input: (node.input ?? []).map(names),
    output: (node.output ?? []).map(names),
    attribute: attributes,
  };
}
