// SPDX-License-Identifier: Apache-2.0
// Attributes of a node, with the value that stands for an absent one.
import type { OnnxNode } from '../file/model.js';

export function intOf(node: OnnxNode, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'int' ? attribute.value : fallback;
}

export function floatOf(node: OnnxNode, name: string, fallback: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'float' ? attribute.value : fallback;
}

export function intsOf(node: OnnxNode, name: string): readonly number[] | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'ints' ? attribute.value : undefined;
}

export function stringOf(node: OnnxNode, name: string, fallback: string): string {
  const attribute = node.attributes.get(name);
  return attribute?.type === 'string' ? attribute.value : fallback;
}
