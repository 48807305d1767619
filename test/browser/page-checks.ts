// page-checks.ts -- What every page must stand: nothing that axe knows to be a barrier, in the light and in the dark, and nothing cut off.

import { expect } from 'bun:test';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { Locator, Page } from 'playwright-core';

const screenshots = resolve(import.meta.dirname, '../../reports/screenshots');
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Looks at the page as it is, and keeps a picture of it in `reports/screenshots`. */
export async function passes(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: resolve(screenshots, `${name}.png`), fullPage: true });
  expect({ name, fits: await page.evaluate('document.documentElement.scrollWidth <= innerWidth') }).toEqual({
    name,
    fits: true,
  });
  // Beside the page's own policy, which forbids scripts from elsewhere.
  if ((await page.evaluate('typeof axe')) === 'undefined') await page.evaluate(await Bun.file(axe).text());
  expect({ name, barriers: await barriersIn(page, '') }).toEqual({ name, barriers: [] });
  // What differs in the other scheme is colours.
  const isDark: unknown = await page.evaluate(`matchMedia('(prefers-color-scheme: dark)').matches`);
  await page.emulateMedia({ colorScheme: isDark === true ? 'light' : 'dark' });
  const barriers = await barriersIn(page, `{ runOnly: ['color-contrast'] }`);
  expect({ name, barriers }).toEqual({ name, barriers: [] });
  await page.emulateMedia({ colorScheme: isDark === true ? 'dark' : 'light' });
}

/** What axe finds; `passes` has put it into the page. */
export async function barriersIn(page: Page, options: string): Promise<unknown> {
  return await page.evaluate(
    `axe.run(${options}).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join()))`,
  );
}

/** The little of an element that is used here: the tests know no types of browsers. */
interface Focusable {
  readonly ownerDocument: { readonly activeElement: unknown };
}

/** Moves the focus with the Tab key, as who has no mouse, until it is on the element; it must be seen there. */
export async function tabTo(page: Page, wanted: Locator): Promise<void> {
  await wanted.waitFor();
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    if (!(await wanted.evaluate((element: Focusable) => element === element.ownerDocument.activeElement))) continue;
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    return;
  }
  throw new Error(`the focus never came to ${wanted.toString()}`);
}
