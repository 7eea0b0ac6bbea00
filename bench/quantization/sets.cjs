// SPDX-License-Identifier: Apache-2.0
// Sets of labelled images by name: `val`, `nips17`, `val:200` for the first so many of one, and `left-out`,
// the calibration images that were not calibrated on.
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

/**
 * @param set its name
 * @param settings data folder, number of calibration images, a folder to write to
 * @returns the arguments of `evaluate` that name the images
 */
function imagesOf(set, { data, calibration, work }) {
  const [name, limit] = set.split(':');
  const scope = limit === undefined ? [] : ['--limit', limit];
  if (name === 'left-out') return [...leftOut(data, calibration, work), ...scope];
  const folder = join(data, 'imagenet', name);
  return ['--images', folder, '--labels', join(folder, 'labels.csv'), ...scope];
}

/** Calibration takes the first files by name; these are the others. */
function leftOut(data, calibration, work) {
  const folder = join(data, 'imagenet', 'calibration');
  const [header, ...lines] = readFileSync(join(folder, 'labels.csv'), 'utf8').trim().split('\n');
  const others = lines.sort((a, b) => (a < b ? -1 : 1)).slice(calibration);
  if (others.length === 0) throw new Error(`all images are among the first ${calibration}`);
  mkdirSync(work, { recursive: true });
  const labels = join(work, `left-out-${calibration}.csv`);
  writeFileSync(labels, [header, ...others, ''].join('\n'));
  return ['--images', folder, '--labels', labels];
}

module.exports = { imagesOf };
