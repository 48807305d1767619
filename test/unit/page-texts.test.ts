// page-texts.test.ts -- The texts of the pages: the same in every language but for their words.

import { describe, expect, test } from 'bun:test';
import { preflightTexts } from '../../web/console/preflight/preflight-texts.ts';
import { consoleTexts } from '../../web/console/texts.ts';
import { dropTexts } from '../../web/drop/texts.ts';

describe.each([
  ['console', consoleTexts],
  ['preflight', preflightTexts],
  ['drop', dropTexts],
] as const)('%s', (_, { en, ko }) => {
  test('both languages have the same keys, in the same order', () => {
    expect(Object.keys(ko)).toEqual(Object.keys(en));
  });

  test('no text is empty, and both name the same values', () => {
    const valuesOf = (texts: object) =>
      Object.values(texts).map((text: string) => [text !== '', ...(text.match(/\{\w+\}/g) ?? []).toSorted()]);
    expect(valuesOf(ko)).toEqual(valuesOf(en));
  });
});
