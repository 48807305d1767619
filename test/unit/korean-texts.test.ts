// korean-texts.test.ts -- What the API states in English has a Korean text in the console: why an entry is dead, what an upload expects.

import { expect, test } from 'bun:test';
import { expectedCodes } from '../../src/codes/importing.ts';
import type { DeadIssue } from '../../src/ledger/plan.ts';
import { readEntry, writeEntry } from '../../src/stream/entry.ts';
import { koreanFault } from '../../web/console/codes/korean-faults.ts';
import { koreanReason } from '../../web/console/letters/letter-texts.ts';

const isKorean = (text: string) => /[가-힣]/.test(text) && !/[a-z]{2,} [a-z]{2,}/.test(text);

test('each reason of a dead letter has a Korean text', () => {
  const fields = writeEntry({ couponId: 1, epoch: 0, firstSequence: 1, acceptedMs: 1, users: ['kim'] });
  const unreadable = fields.flatMap((_, i) => {
    if (i % 2 === 0) return [];
    const read = readEntry(fields.with(i, '"'));
    return 'reason' in read ? [read.reason] : [];
  });
  expect(new Set(unreadable).size).toBe(6);
  const unwritable: readonly DeadIssue['reason'][] = ['no such coupon', 'no stock left', 'coupon is archived'];
  for (const reason of [...unreadable, ...unwritable, 'MySQL error 3819'])
    expect([reason, isKorean(koreanReason(reason))]).toEqual([reason, true]);
  expect(koreanReason('something newer')).toBe('something newer');
});

test('each fault of an upload of codes has a Korean text', () => {
  for (const expected of Object.values(expectedCodes))
    expect([expected, isKorean(koreanFault(expected))]).toEqual([expected, true]);
});
