// SPDX-License-Identifier: Apache-2.0
const { resolve } = require('node:path');

const matches = (name, { only = '', skip = '' }) =>
  name.includes(only) && (skip === '' || !name.includes(skip));

/** A row of accuracies in one line, for who waits. */
function accuracies({ sets, seconds }) {
  const figures = Object.entries(sets).map(
    ([set, { paired, scoreSqnrDb, top1Agreement }]) =>
      `${set}: ${paired.delta} points, ${scoreSqnrDb} dB, ${top1Agreement} %`,
  );
  return `${figures.join('; ')} (${seconds} s)`;
}

/**
 * Runs the cases that the store does not have yet, one after another, and stores each at once.
 *
 * @param cases name and definition
 * @param options only, skip (parts of the name), fresh, render (runs nothing)
 * @param sets those that a stored row has to have
 * @param run from definition and data folder to a result; what it throws is printed
 * @param describe a result in one line
 * @returns whether all went well
 */
function runAll(store, cases, sets, options, run, describe = accuracies) {
  if (options.render) return true;
  if (!process.env.LASTBIT_DATA) {
    console.error('LASTBIT_DATA is not set: the cases need its models and images');
    process.exit(2);
  }
  const data = resolve(process.env.LASTBIT_DATA);
  let complete = true;
  for (const { name, one } of cases) {
    const known = store.get(name);
    const done = known !== undefined && sets.every((set) => known.sets[set]);
    if (!matches(name, options) || (done && !options.fresh)) continue;
    process.stderr.write(`${name} ...`);
    try {
      const result = run(one, data);
      store.put(name, result);
      process.stderr.write(` ${describe(result)}\n`);
    } catch (error) {
      complete = false;
      process.stderr.write(` ${error.message}\n`);
    }
  }
  return complete;
}

module.exports = { runAll };
