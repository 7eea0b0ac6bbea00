// SPDX-License-Identifier: Apache-2.0

/**
 * Runs the cases that the store does not have yet, one after another, and stores each at once.
 *
 * @param cases name and definition
 * @param options only (part of the name), fresh, render (runs nothing)
 * @param sets those that a stored row has to have
 * @param run from definition and data folder to a result; what it throws is printed
 * @returns whether all went well
 */
function runAll(store, cases, sets, { only, fresh, render }, run) {
  if (render) return true;
  const data = process.env.LASTBIT_DATA;
  if (!data) {
    console.error('LASTBIT_DATA is not set: the cases need its models and images');
    process.exit(2);
  }
  let complete = true;
  for (const { name, one } of cases) {
    const known = store.get(name);
    const done = known !== undefined && sets.every((set) => known.sets[set]);
    if (!name.includes(only) || (done && !fresh)) continue;
    process.stderr.write(`${name} ...`);
    try {
      const result = run(one, data);
      store.put(name, result);
      const figures = Object.entries(result.sets).map(
        ([set, { paired, scoreSqnrDb, top1Agreement }]) =>
          ` ${set}: ${paired.delta} points, ${scoreSqnrDb} dB, ${top1Agreement} %`,
      );
      process.stderr.write(`${figures.join(';')} (${result.seconds} s)\n`);
    } catch (error) {
      complete = false;
      process.stderr.write(` ${error.message}\n`);
    }
  }
  return complete;
}

module.exports = { runAll };
