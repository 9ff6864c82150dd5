/** The dashboard and the API documentation in a real browser, on a running engine. */
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLocalEngine, type LocalEngine } from '../../engine/testing/local-engine.ts';
import { eventually } from '../wait.ts';

let browser: Browser;
let engine: LocalEngine;
let complaints: string[];

beforeAll(async () => {
  engine = await startLocalEngine();
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
    timeout: 30_000,
  });
});
afterAll(async () => {
  await browser?.close();
  await engine?.[Symbol.asyncDispose]();
});

/** Runs in the page: whether any pixel of the plot was painted. */
const IS_PLOT_DRAWN = `(() => {
  const canvas = document.querySelector('#rate');
  return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value !== 0);
})()`;

/** A page that fails the test when the browser complains: a script error, a blocked resource, a refused connection. */
async function open(url: string): Promise<Page> {
  const page = await browser.newPage();
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(url, { timeout: 20_000, waitUntil: 'load' });
  return page;
}

test('the dashboard shows what the engine does, as it does it', async () => {
  const page = await open(`${engine.opsUrl}/dashboard`);
  await expect.poll(() => page.textContent('#phase'), { timeout: 10_000 }).toBe('serving');
  expect(await page.textContent('#instruments')).toContain('BTC-USD');

  await engine.orders.place({ symbol: 'BTC-USD', account: 'a', side: 'buy', type: 'limit', price: '101.25', quantity: '1' });
  await engine.orders.place({ symbol: 'BTC-USD', account: 'b', side: 'sell', type: 'limit', price: '102.75', quantity: '1' });
  await expect.poll(() => page.textContent('#open'), { timeout: 10_000 }).toBe('2');
  const row = await page.textContent('#instruments tr:has-text("BTC-USD")');
  expect(row).toContain('101.25');
  expect(row).toContain('102.75');

  const before = Number((await page.textContent('#sequence'))?.replaceAll(/\D/g, ''));
  for (let i = 0; i < 50; i++)
    await engine.orders.place({ symbol: 'BTC-USD', account: 'b', side: 'sell', type: 'limit', price: '150', quantity: '0.01' });
  await expect
    .poll(async () => Number((await page.textContent('#sequence'))?.replaceAll(/\D/g, '')), { timeout: 10_000 })
    .toBeGreaterThanOrEqual(before + 50);
  await eventually('the plot is drawn', () => page.evaluate<boolean>(IS_PLOT_DRAWN));
  expect(complaints).toEqual([]);
  await page.close();
});

test('the dashboard says so when the engine is gone', async () => {
  const other = await startLocalEngine();
  const page = await open(`${other.opsUrl}/dashboard`);
  await expect.poll(() => page.textContent('#phase'), { timeout: 10_000 }).toBe('serving');
  await other[Symbol.asyncDispose]();
  await expect.poll(() => page.textContent('#phase'), { timeout: 15_000 }).not.toBe('serving');
  await page.close();
});

test('the API documentation opens and lists the order API', async () => {
  const page = await open(`${engine.baseUrl}/docs`);
  await page.waitForSelector('.opblock', { timeout: 15_000 });
  const text = (await page.textContent('#swagger-ui')) ?? '';
  for (const path of ['/v1/orders', '/v1/orders/{id}', '/v1/book/{symbol}', '/v1/fills']) expect(text).toContain(path);
  expect(complaints).toEqual([]);
  await page.close();
});
