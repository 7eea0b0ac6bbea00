// SPDX-License-Identifier: Apache-2.0
// Quantizes one network in a process of its own and evaluates the file in another, both through
// the command line, so that a row says what a user gets.
const { lastbit } = require('./lastbit.cjs');
const { flagsOf, quantizeCase, work } = require('./quantize-case.cjs');
const { imagesOf } = require('./sets.cjs');

const round = (value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value);

function evaluation({ output, model, preprocess }, target, images) {
  const how = ['--target', target, '--float', model, '--preprocess', preprocess];
  const threads = ['--threads', '1'];
  const result = lastbit(['evaluate', output, ...images, ...how, ...threads]);
  const { n, top1, top1Ci95, tiesAtTopPercent, float, paired, top1Agreement, scoreSqnrDb } = result;
  return {
    ...{ n, top1: round(top1), top1Ci95: top1Ci95.map(round), floatTop1: round(float.top1) },
    paired: { ...paired, delta: round(paired.delta), ci95: paired.ci95.map(round) },
    scoreSqnrDb: round(scoreSqnrDb),
    top1Agreement: round(top1Agreement),
    tiesAtTopPercent: round(tiesAtTopPercent),
  };
}

/**
 * @param one net, target, weights, bits, flags; `quantizedFor`: another target that leads to the same file
 * @param settings data folder, nets, number of calibration images, sets to evaluate on (sets.cjs)
 * @returns what `bench/results` keeps of it
 */
function runCase(one, settings) {
  const { target, quantizedFor = target } = one;
  const made = quantizeCase({ ...one, target: quantizedFor }, settings);
  const { document, images } = made;
  const results = settings.sets.map((set) => [
    set,
    evaluation(made, target, imagesOf(set, { ...settings, work })),
  ]);
  return {
    flags: flagsOf(one).join(' '),
    target: quantizedFor === target ? document.target : target,
    ...(quantizedFor === target ? {} : { quantizedFor }),
    calibration: images,
    seconds: Math.round(document.seconds),
    peakRssMiB: Math.round(document.peakRssMiB),
    // Without figures by layer: 30,000 lines for what the file itself holds.
    steps: document.steps.map(({ name, changed }) => ({ name, changed })),
    ...(document.choice === undefined ? {} : { choice: document.choice }),
    warnings: document.warnings,
    sets: Object.fromEntries(results),
  };
}

module.exports = { runCase };
