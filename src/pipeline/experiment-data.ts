// SPDX-License-Identifier: Apache-2.0
// Images of an experiment from a folder with a folder for each class, as CIFAR-10 is handed on.
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';

import { makeFolder } from '../data/index.js';
import { ModelError } from '../errors.js';

/** What the stages of an experiment read. */
export interface ExperimentImages {
  readonly images: string;
  readonly labels: string;
  readonly calib: string;
}

const endings = new Set(['.jpg', '.jpeg', '.png']);

/**
 * The first `tested` images of `test/` and `calibrated` of `train/`, class by class in turn. Classes are
 * the folders in alphabetical order.
 * @param scratch gets the list of labels and copies of the calibration images
 * @throws ModelError `no-images`
 */
export function classFolders(
  data: string,
  scratch: string,
  { tested, calibrated }: { readonly tested: number; readonly calibrated: number },
): ExperimentImages {
  const images = join(data, 'test');
  const labels = join(scratch, 'labels.csv');
  const rows = inTurn(images, tested).map(({ file, label }) => `${file},${label}\n`);
  const calib = join(scratch, 'calibration');
  makeFolder(calib);
  writeFileSync(labels, `file,label\n${rows.join('')}`);
  inTurn(join(data, 'train'), calibrated).forEach(({ file }, i) => {
    const name = `${String(i).padStart(4, '0')}${extname(file)}`;
    copyFileSync(join(data, 'train', file), join(calib, name));
  });
  return { images, labels, calib };
}

/** The place of each image among all, by class and file name: the order in which trainings test. */
export function imageOrder(folder: string): ReadonlyMap<string, number> {
  return new Map(
    filesByClass(folder)
      .flat()
      .map((file, i) => [file, i]),
  );
}

/** `class/file` of each class, both in alphabetical order. */
function filesByClass(folder: string): readonly (readonly string[])[] {
  const classes = listed(folder)
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  return classes.map((name) =>
    listed(join(folder, name))
      .map((entry) => entry.name)
      .filter((file) => endings.has(extname(file).toLowerCase()))
      .sort()
      .map((file) => `${name}/${file}`),
  );
}

/** One image of each class, then the next of each, and so on. */
function inTurn(
  folder: string,
  count: number,
): { readonly file: string; readonly label: number }[] {
  const files = filesByClass(folder);
  const most = Math.max(0, ...files.map(({ length }) => length));
  const all = Array.from({ length: most }, (_, i) =>
    files.flatMap((list, label) => (list[i] === undefined ? [] : [{ file: list[i], label }])),
  ).flat();
  if (all.length > 0) return all.slice(0, count);
  throw noImages(folder, 'it has no folders with images');
}

function listed(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    throw noImages(folder, (error as Error).message);
  }
}

function noImages(folder: string, reason: string): ModelError {
  return new ModelError(
    'no-images',
    folder,
    `${reason}; expected --data DIR with test/<class>/*.jpg and train/<class>/*.jpg, such as CIFAR-10, or --images, --labels and --calib`,
  );
}
