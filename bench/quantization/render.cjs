// SPDX-License-Identifier: Apache-2.0
// Markdown of the results; computes nothing.

const signed = (value) => (value > 0 ? '+' : '') + value.toFixed(2);

function table(header, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

const decibel = (set) => (set.scoreSqnrDb === null ? 'equal' : set.scoreSqnrDb.toFixed(1));

/** Cells of one set of images. */
function cells(set) {
  if (!set) return ['', '', '', ''];
  const { delta, ci95 } = set.paired;
  return [
    `${signed(delta)} [${ci95.map(signed).join(', ')}]`,
    decibel(set),
    set.top1Agreement.toFixed(1),
    set.tiesAtTopPercent.toFixed(1),
  ];
}

function goalText({ drop, shareOfFloat }) {
  return drop === undefined ? `>= ${shareOfFloat} % of float` : `drop <= ${drop}`;
}

/** Whether a row's goal is met on `val`. */
function reached({ drop, shareOfFloat }, { top1, floatTop1, paired }) {
  // One image of 650 is 0.154 points; deltas are rounded to a thousandth.
  if (drop !== undefined) return -paired.delta <= drop + 0.001;
  return (100 * top1) / floatTop1 >= shareOfFloat;
}

/** @param rows of the accuracy table, with `goal` and the sets val and nips17 */
function renderAccuracy(rows) {
  const header = [
    ...['net', 'flags', 'float', 'top-1', 'delta [95 %]', 'dB', 'agree', 'ties', 'goal', ''],
    ...['images', 'seconds', 'MiB', 'commit'],
  ];
  const body = rows.map((row) => {
    const { net, goal, sets, calibration, seconds, peakRssMiB, commit } = row;
    const { val } = sets;
    const flags = row.quantizedFor ? `${row.flags} (file for ${row.quantizedFor})` : row.flags;
    const verdict = reached(goal, val) ? 'reached' : '**missed**';
    const accuracy = [val.floatTop1.toFixed(2), val.top1.toFixed(2), ...cells(val)];
    return [
      net,
      flags,
      ...accuracy,
      goalText(goal),
      verdict,
      calibration,
      seconds,
      peakRssMiB,
      commit,
    ];
  });
  return table(header, body);
}

/** @param rows of the agreement with onnxruntime */
function renderAgreement(rows) {
  const header = [
    ...['net', 'flags', 'images', 'agree', '%', 'goal 99 %', 'at ties', '1 step', 'further'],
    ...['nearest', 'integer form', 'its codes differing'],
    ...['top-1', 'theirs', 'codes differing', 'mean', 'largest', 'calibration', 'commit'],
  ];
  const body = rows.map((row) => {
    const { net, flags, images, agreeing, disagreeing, output, calibration, commit } = row;
    const tied = disagreeing.filter((one) => one.tied);
    const close = disagreeing.filter((one) => !one.tied && Math.max(...one.margins) <= 1);
    const share = (100 * agreeing) / images;
    const { integer = { agreeing: 'not run', differing: '' } } = row;
    return [
      ...[net, flags, images, agreeing, share.toFixed(2), share >= 99 ? 'reached' : '**missed**'],
      ...[tied.length, close.length, disagreeing.length - tied.length - close.length],
      row.agreeingNearest === undefined ? 'not run' : (row.agreeingNearest ?? 'no such form'),
      ...[integer.agreeing, integer.differing],
      ...[row.top1.toFixed(2), row.theirTop1.toFixed(2)],
      `${((100 * output.differing) / output.codes).toFixed(1)} %`,
      ...[output.mean.toFixed(3), `${output.largest} (${output.dtype})`, calibration, commit],
    ];
  });
  return table(header, body);
}

/** Layers shown, spread over each network: the first three, then every seventh, and the last. */
const shown = (_, i, all) => i < 3 || i % 7 === 0 || i === all.length - 1;

/** @param rows of the agreement that have their layers compared */
function renderGrowth(rows) {
  const body = rows
    .filter(({ layers }) => layers !== undefined)
    .map(({ net, flags, layers }) => {
      const shares = layers.map((layer) => (100 * layer.differing) / layer.codes);
      const text = shares.map((share, i) => `${i + 1}: ${share.toPrecision(2)}`).filter(shown);
      return [net, flags, text.join(', ')];
    });
  return body.length === 0 ? '' : table(['net', 'flags', 'layer: share'], body);
}

/** @param rows of the ablation, each with `base`, `variant` and any sets */
function renderAblation(rows) {
  const sets = [...new Set(rows.flatMap((row) => Object.keys(row.sets)))];
  const header = [
    'recipe',
    ...sets.flatMap((set) => [`${set}: delta [95 %]`, 'dB', 'agree', 'ties']),
    ...['images', 'seconds', 'commit'],
  ];
  const bases = [...new Set(rows.map(({ base }) => base))];
  return bases
    .map((base) => {
      const own = rows.filter((row) => row.base === base);
      const body = own.map((row) => [
        row.variant,
        ...sets.flatMap((set) => cells(row.sets[set])),
        ...[row.calibration, row.seconds, row.commit],
      ]);
      return `## ${base}\n\n${table(header, body)}`;
    })
    .join('\n\n');
}

module.exports = { renderAblation, renderAccuracy, renderAgreement, renderGrowth };
