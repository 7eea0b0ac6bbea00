// SPDX-License-Identifier: Apache-2.0
import { progressLines } from '../../src/cli/terminal.js';

/** Lines that reports at these milliseconds leave in a log. */
function linesAt(...times: number[]): string {
  let text = '';
  let clock = 0;
  const terminal = {
    out: () => undefined,
    err: (more: string) => {
      text += more;
    },
    interactive: false,
  };
  const { report } = progressLines(terminal, () => clock);
  times.forEach((time, i) => {
    clock = time;
    report('reconstruct\u001b', i + 1, times.length);
  });
  return text;
}

test('where no bar can be drawn, one line every 10 s tells how far it is', () => {
  expect(linesAt(0, 4000, 10_000, 15_000, 19_999, 20_000)).toBe(
    'progress reconstruct\\u001b 3/6\nprogress reconstruct\\u001b 6/6\n',
  );
});

test('a short command stays silent', () => {
  expect(linesAt(1, 500, 9999)).toBe('');
});
