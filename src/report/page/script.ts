// SPDX-License-Identifier: Apache-2.0

/**
 * What the page does besides being read: sorting and filtering of tables, cards of layers, tips of
 * charts. Without it everything is there, unsorted. It changes text and attributes only, never markup.
 */
export const pageScript = `
'use strict';
(() => {
  const root = document.documentElement;
  root.classList.add('js');
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));

  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.classList.contains('missing')) return undefined;
    const { sort } = cell.dataset;
    return sort === undefined ? cell.textContent.trim().toLowerCase() : Number(sort);
  };
  const order = (a, b) => {
    if (typeof a === 'number' && typeof b === 'number') return a - b;
    return String(a).localeCompare(String(b), 'en', { numeric: true });
  };
  const sortBy = (button) => {
    const head = button.closest('th');
    const table = head.closest('table');
    const column = Number(button.dataset.column);
    const down = head.getAttribute('aria-sort') === 'ascending';
    for (const other of all('th[aria-sort]', table)) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const rows = Array.from(table.tBodies[0].rows).map((row) => ({ row, key: keyOf(row, column) }));
    rows.sort((a, b) => {
      if (a.key === undefined || b.key === undefined) return (a.key === undefined) - (b.key === undefined);
      return (down ? -1 : 1) * order(a.key, b.key);
    });
    table.tBodies[0].append(...rows.map(({ row }) => row));
  };
  for (const button of all('th button')) button.addEventListener('click', () => sortBy(button));

  const filter = (input) => {
    const rows = Array.from(document.getElementById(input.dataset.table).tBodies[0].rows);
    const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
    for (const row of rows) {
      const text = (row.textContent + ' ' + (row.querySelector('[title]')?.title ?? '')).toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    document.getElementById(input.dataset.table + '-count').textContent = shown + ' of ' + rows.length + ' rows';
  };
  for (const input of all('input[data-table]')) {
    input.addEventListener('input', () => filter(input));
    filter(input);
  }

  let open;
  const close = () => {
    if (open === undefined) return;
    open.card.classList.remove('open');
    open.from.focus({ preventScroll: true });
    open = undefined;
  };
  const show = (card, from) => {
    if (open !== undefined) open.card.classList.remove('open');
    open = { card, from };
    card.classList.add('open');
    card.scrollTop = 0;
    card.focus({ preventScroll: true });
  };
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a');
    const target = link?.getAttribute('href');
    if (target === undefined || target === null || !target.startsWith('#')) return;
    if (link.classList.contains('close')) {
      event.preventDefault();
      close();
      return;
    }
    const card = document.getElementById(target.slice(1));
    if (card === null || !card.classList.contains('card')) return;
    event.preventDefault();
    show(card, link);
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
  });

  const tip = document.getElementById('tip');
  document.addEventListener('pointermove', (event) => {
    const text = event.target.closest?.('[data-tip]')?.dataset.tip;
    tip.style.display = text === undefined ? 'none' : 'block';
    if (text === undefined) return;
    tip.textContent = text;
    tip.style.left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8) + 'px';
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + 'px';
  });
})();
`;
