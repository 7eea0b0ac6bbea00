// SPDX-License-Identifier: Apache-2.0
// The page in Chromium, from a file. Skipped where there is no Chromium; .ci/run installs one. Pictures
// of every section are kept in out/report/ to be looked at.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { chromium } from 'playwright-core';

import { drawPage, networksOf, recognize } from '../../src/report/index.js';
import { chromiumPath } from './browser.js';
import { all, best, compare, evaluate, prove, quantize } from './results.js';

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly target: readonly string[]; readonly html: string }[];
  }[];
}

const pictures = join(__dirname, '../../out/report');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const inChromium = chromiumPath === undefined ? describe.skip : describe;

inChromium('in Chromium', () => {
  let browser: Browser;
  let folder: string;
  let file: string;

  beforeAll(async () => {
    const other = {
      quantize: best({ ...quantize, method: 'best' }),
      compare: best({ ...compare, layers: compare.layers.map((one) => ({ ...one, sqnrDb: 35 })) }),
      evaluate: best({ ...evaluate, float: undefined, paired: undefined, top1: 69 }),
    };
    const models = { quantized: { file: 'else.onnx', sha256: '3'.repeat(64) } };
    const elsewhere = { prove: { ...prove, models }, compare: { ...compare, models } };
    const documents = [all, other, elsewhere].flatMap((each) => Object.entries(each));
    const results = documents.map(([name, document], i) =>
      recognize(JSON.stringify(document), `${i}-${name}.json`),
    );
    const { html } = await drawPage(networksOf(results), '0.0.0');
    folder = mkdtempSync(join(tmpdir(), 'lastbit-page-'));
    file = join(folder, 'report.html');
    writeFileSync(file, html);
    mkdirSync(pictures, { recursive: true });
    browser = await chromium.launch({
      ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
      args: ['--no-sandbox'], // containers, where tests run as root, allow no other way
    });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  /** Opens the page, does something with it and hands on what the browser complained of. */
  async function visit(
    options: BrowserContextOptions,
    work: (page: Page) => Promise<void>,
  ): Promise<void> {
    const context = await browser.newContext(options);
    const complaints: string[] = [];
    try {
      const page = await context.newPage();
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('request', (request) => {
        const url = request.url();
        if (!url.startsWith('file:')) complaints.push(url);
      });
      await page.goto(pathToFileURL(file).href);
      await work(page);
    } finally {
      await context.close();
    }
    expect(complaints).toEqual([]);
  }

  const table = '#n1-layer-table';
  const names = (page: Page) => page.locator(`${table} tbody tr:visible th`).allTextContents();
  const sort = (page: Page, title: string) =>
    page.locator(`${table} thead button`, { hasText: title }).first().click();

  test('numbers sort as numbers, both ways, and say so', () =>
    visit({}, async (page) => {
      expect(await names(page)).toEqual(['first', 'second', 'sum']);
      await sort(page, 'dB in net');
      expect(await names(page)).toEqual(['sum', 'second', 'first']);
      const head = page.locator(`${table} th[aria-sort]`);
      expect(await head.getAttribute('aria-sort')).toBe('ascending');
      await sort(page, 'dB in net');
      expect(await names(page)).toEqual(['first', 'second', 'sum']);
      await sort(page, 'layer');
      expect(await head.count()).toBe(1);
    }));

  test('a filter leaves the rows that have all of its words', () =>
    visit({}, async (page) => {
      const filter = page.locator('input[data-table="n1-layer-table"]');
      const count = page.locator('#n1-layer-table-count');
      expect(await count.textContent()).toBe('3 of 3 rows');
      await filter.fill('SEC dense');
      expect(await names(page)).toEqual(['second']);
      expect(await count.textContent()).toBe('1 of 3 rows');
      await filter.fill('nothing');
      expect(await names(page)).toEqual([]);
      await filter.fill('');
      expect(await names(page)).toHaveLength(3);
    }));

  test('a box opens the card of its layer, by mouse and by keyboard', () =>
    visit({}, async (page) => {
      const box = page.locator('#n1-graph-0 a').nth(1);
      await box.click();
      const card = page.locator('.card.open');
      expect(await card.locator('h3').textContent()).toBe('second');
      expect(await card.textContent()).toContain('dB in net9.5');
      await page.keyboard.press('Escape');
      expect(await card.count()).toBe(0);
      expect(await page.locator('#n1-graph-0 a:focus').getAttribute('href')).toBe('#n1-layer-1');
      await page.keyboard.press('Enter');
      expect(await card.count()).toBe(1);
      await card.locator('.close').click();
      expect(await card.count()).toBe(0);
    }));

  test('marks of charts say their values on hovering', () =>
    visit({}, async (page) => {
      await page.locator('#figure-n1-accumulator-bits [data-tip]').first().hover();
      expect(await page.locator('#tip').textContent()).toBe(
        'first, naive: 17 bits needed, 16 there',
      );
    }));

  test('without scripts everything is there, cards too', () =>
    visit({ javaScriptEnabled: false }, async (page) => {
      expect(await page.locator('.tools:visible').count()).toBe(0);
      await page.locator(`${table} tbody a`).first().click();
      expect(await page.locator('#n1-layer-0').isVisible()).toBe(true);
    }));

  describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
    test('axe finds nothing to complain of, and every section is pictured', () =>
      // The page's policy forbids the script that axe is; everything else runs under it.
      visit({ colorScheme, bypassCSP: true }, async (page) => {
        await page.addScriptTag({ content: axe });
        const { violations } = await page.evaluate<AxeResult>('axe.run()');
        expect(
          violations.map(({ id, nodes }) => [id, nodes[0]!.target, nodes[0]!.html.slice(0, 200)]),
        ).toEqual([]);
        for (const section of await page.locator('main > section > section').all()) {
          const id = (await section.getAttribute('id'))!;
          await section.screenshot({ path: join(pictures, `${colorScheme}-${id}.png`) });
        }
        await page.locator('#n1-graph-0 a').first().click();
        await page
          .locator('.card.open')
          .screenshot({ path: join(pictures, `${colorScheme}-card.png`) });
      }));

    test('ink and paper are those of the scheme', () =>
      visit({ colorScheme }, async (page) => {
        const paper = await page.evaluate<string>(
          'getComputedStyle(document.body).backgroundColor',
        );
        expect(paper).toBe(colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(21, 26, 34)');
        const label = `document.querySelector('#figure-n1-error-by-depth text')`;
        const ink = await page.evaluate<string>(`getComputedStyle(${label}).fill`);
        expect(ink).toBe(colorScheme === 'light' ? 'rgb(86, 96, 114)' : 'rgb(163, 174, 191)');
      }));
  });

  test('400 pixels are wide enough', () =>
    visit({ viewport: { width: 400, height: 800 } }, async (page) => {
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(400);
      await page.screenshot({ path: join(pictures, 'narrow.png') });
    }));

  test('paper has no tools, no cut tables, and light colours', () =>
    visit({ colorScheme: 'dark' }, async (page) => {
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      expect(await page.locator('nav:visible, .tools:visible, .card:visible').count()).toBe(0);
      const paper = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      expect(paper).toBe('rgb(255, 255, 255)');
      const pdf = await page.pdf({ path: join(pictures, 'print.pdf') });
      expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    }));
});
