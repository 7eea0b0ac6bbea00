// SPDX-License-Identifier: Apache-2.0
import { withLeftOut } from '../../graph/left-out.js';
import type { OnnxModel, OnnxNode, OnnxValueInfo } from '../file/model.js';
import { nameOf } from './problems.js';

/**
 * The model with each output that an ArgMax makes taken before it: scores say which is the largest,
 * and commands that need the class find it themselves.
 */
export function beforeArgMax(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const decisionOf = (output: string): OnnxNode | undefined =>
    graph.nodes.find(
      ({ op, domain, outputs }) => op === 'ArgMax' && domain === '' && outputs[0] === output,
    );
  const taken = new Set(graph.outputs.map(({ name }) => name));
  const sentences: string[] = [];
  const outputs = graph.outputs.map((output): OnnxValueInfo => {
    const node = decisionOf(output.name);
    const scores = node?.inputs[0];
    const isRead = graph.nodes.some(({ inputs }) => inputs.includes(output.name));
    if (node === undefined || scores === undefined || isRead || taken.has(scores)) return output;
    taken.add(scores);
    sentences.push(
      `output "${output.name}" is taken before ArgMax "${nameOf(node)}", as the scores "${scores}"`,
    );
    return { name: scores };
  });
  if (sentences.length === 0) return model;
  const made = new Set(outputs.map(({ name }) => name));
  // The decision itself is no longer asked for.
  const nodes = graph.nodes.filter((node) => {
    const isDecision = graph.outputs.some(({ name }) => decisionOf(name) === node);
    return !isDecision || made.has(node.outputs[0]!);
  });
  const metadata = withLeftOut(model.metadata, sentences);
  return { ...model, metadata, graph: { ...graph, outputs, nodes } };
}
