// SPDX-License-Identifier: Apache-2.0
// The network as SVG: lines of boxes, read like text.
import type { Graph, GraphNode } from '../sections/index.js';
import { type Html, markup } from './markup.js';

/** Pixels. */
const size = {
  ...{ margin: 84, right: 860, gap: 10, boxHeight: 24, lineHeight: 62, top: 34 },
  ...{ narrow: 18, wide: 64 },
};

interface Box {
  readonly node: GraphNode;
  readonly number: number;
  readonly x: number;
  readonly line: number;
  readonly width: number;
}

export function graphHtml({ id, caption, explanation, legend, nodes }: Graph): Html {
  const boxes = placed(nodes);
  const height = size.top + (boxes.at(-1)!.line + 1) * size.lineHeight;
  const width = size.right + 20;
  const content = [edges(boxes), lineNames(boxes), boxes.map(boxHtml)];
  return markup`<figure id="${id}"><figcaption>${caption}<small>${explanation}</small></figcaption>${legendHtml(legend)}
<div class="scroll" tabindex="0" role="group" aria-label="${caption}">
<svg class="graph" role="group" aria-label="${caption}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${content}</svg></div></figure>`;
}

/** From left to right; a new line where the resolution changes or the width ends. */
function placed(nodes: readonly GraphNode[]): readonly Box[] {
  const most = Math.max(1, ...nodes.map(({ macs }) => macs));
  const boxes: Box[] = [];
  for (const [index, node] of nodes.entries()) {
    const width = size.narrow + (size.wide - size.narrow) * Math.sqrt(node.macs / most);
    const last = boxes.at(-1);
    const x = last === undefined ? size.margin : last.x + last.width + size.gap;
    const starts =
      last !== undefined && (last.node.resolution !== node.resolution || x + width > size.right);
    const line = (last?.line ?? 0) + (starts ? 1 : 0);
    boxes.push({ node, number: index + 1, x: starts ? size.margin : x, line, width });
  }
  return boxes;
}

function boxHtml({ node, number, x, line, width }: Box): Html {
  const y = yOf(line);
  const shade = node.severity === undefined ? 'none' : String(node.severity);
  const words = `${number}: ${node.words}`;
  const box = markup`<rect class="box sev-${shade}" x="${round(x)}" y="${y}" width="${round(width)}" height="${size.boxHeight}" rx="4"/>`;
  const label = markup`<text x="${round(x + width / 2)}" y="${y + size.boxHeight + 11}" text-anchor="middle">${number}</text>`;
  return markup`<a href="${node.href}" aria-label="${words}" data-tip="${words}">${box}${label}</a>`;
}

function lineNames(boxes: readonly Box[]): readonly Html[] {
  return boxes
    .filter((box, i) => box.node.resolution !== boxes[i - 1]?.node.resolution)
    .map(({ node, line }) => markup`<text x="0" y="${yOf(line) + 16}">${node.resolution}</text>`);
}

function edges(boxes: readonly Box[]): readonly Html[] {
  const byName = new Map(boxes.map((box) => [box.node.name, box]));
  return boxes.flatMap((to) =>
    to.node.inputs.flatMap((name) => {
      const from = byName.get(name);
      if (from === undefined) return [];
      const near = to.number === from.number + 1;
      const path = from.line === to.line ? within(from, to, near) : between(from, to, near);
      return [markup`<path class="edge${near ? '' : ' far'}" d="${path}"/>`];
    }),
  );
}

/** Neighbours by a stroke, others by an arc above the boxes. */
function within(from: Box, to: Box, near: boolean): string {
  const y = yOf(from.line);
  if (near) return `M${round(from.x + from.width)} ${y + size.boxHeight / 2}H${round(to.x)}`;
  const [a, b] = [from, to].map(({ x, width }) => round(x + width / 2));
  const lift = y - Math.min(20, 8 + (b! - a!) / 20);
  return `M${a} ${y}C${a} ${lift} ${b} ${lift} ${b} ${y}`;
}

/** To another line: around the end of this one, along the gap above the other. */
function between(from: Box, to: Box, near: boolean): string {
  const [above, below] = [yOf(from.line), yOf(to.line)];
  const [end, middle, turn] = [from.x + from.width, size.boxHeight / 2, below - 12];
  if (near) {
    return `M${round(end)} ${above + middle}h8V${turn}H${round(to.x - 8)}V${below + middle}h8`;
  }
  const start = `M${round(from.x + from.width / 2)} ${above}v-8H${round(end + 4)}`;
  return `${start}V${turn - 5}H${round(to.x + to.width / 2)}V${below}`;
}

function legendHtml(legend: readonly string[]): Html {
  const items = legend.flatMap((text, severity) => {
    if (text === '') return [];
    const box = markup`<rect class="box sev-${severity}" x="1" y="1" width="14" height="12" rx="3"/>`;
    return [markup`<li><svg width="16" height="14" aria-hidden="true">${box}</svg>${text}</li>`];
  });
  return markup`<ul class="legend">${items}</ul>`;
}

function yOf(line: number): number {
  return size.top + line * size.lineHeight;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
