// SPDX-License-Identifier: Apache-2.0
// Charts become SVG here, when the page is made. So the page needs no code to show them: it prints,
// saves the half megabyte that Vega is, and its policy can forbid evaluating text, which Vega does with
// expressions.
import type { TopLevelSpec } from 'vega-lite';

import type { Chart, Design } from './chart.js';
import { imageFiles, imageLibrary } from '../../data/image-library.js';
import { needPackage } from '../../optional-package.js';
import { plainText } from '../plain-text.js';
import { config, withColors } from './theme.js';

/**
 * A chart as SVG whose colours are CSS variables, without its title.
 * @throws Error where the specification is not Vega-Lite; designs are checked by tests
 */
export function renderChart(chart: Chart): Promise<string> {
  return draw(chart.id, { ...chart.spec, title: undefined });
}

/** A chart as a file of its own, titled, in light colours on white. */
export async function standaloneSvg({ id, spec }: Chart): Promise<string> {
  const svg = await draw(id, spec);
  const white = svg.replace('>', '><rect width="100%" height="100%" fill="var(--paper)"/>');
  return `${withColors(white, 'light')}\n`;
}

async function draw(id: string, spec: Design): Promise<string> {
  // Loaded where needed: both take a fifth of a second and are modules, which cannot be required by all of Node 20.
  const [{ View, parse }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const whole = printable({ ...spec, config });
  const view = new View(parse(compile(whole).spec), { renderer: 'none' });
  try {
    return ownIds(await view.toSVG(), id);
  } finally {
    view.finalize();
  }
}

/** A specification whose texts an SVG can hold. */
function printable(spec: Design): TopLevelSpec {
  const revive = (_: string, value: unknown) =>
    typeof value === 'string' ? plainText(value) : value;
  return JSON.parse(JSON.stringify(spec), revive) as TopLevelSpec;
}

/** @param svg of `standaloneSvg`; drawn at twice its size */
export async function pngOf(svg: string): Promise<Uint8Array> {
  return needPackage(imageLibrary, imageFiles)(Buffer.from(svg), { density: 144 }).png().toBuffer();
}

/** The specification that makes the same chart elsewhere. */
export function standaloneSpec({ spec }: Chart): string {
  return `${withColors(JSON.stringify({ ...spec, config }, undefined, 2), 'light')}\n`;
}

/** Vega counts its clips from 0 in each chart; in a page they have to differ. */
function ownIds(svg: string, id: string): string {
  return svg
    .replace(/ id="((?:clip|gradient)[^"]*)"/g, ` id="${id}-$1"`)
    .replace(/url\(#/g, `url(#${id}-`);
}
