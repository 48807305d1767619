// rehearsal.test.ts -- The verdict of a rehearsal is believed because it catches each promise being broken.

import { describe, expect, test } from 'bun:test';
import type { Given } from '../../tools/rehearsal/crowd.ts';
import { type Found, verdictsOf } from '../../tools/rehearsal/verdict.ts';

const startMs = 1_000_000;
const rehearsed = { couponId: 1, pieces: 2, startMs };

const given = (userId: string, outcome: Given['outcome'], sequence: number | null, afterMs = 50): Given => ({
  userId,
  outcome,
  sequence,
  answeredMs: startMs + afterMs,
});
const exact = {
  given: [
    given('a', 'not open', null, -300),
    given('a', 'issued', 1),
    given('b', 'issued', 2),
    given('a', 'already issued', 1),
    given('c', 'sold out', null),
  ],
  others: new Map<string, number>(),
};
const zeros = { missing: 0, unknown: 0, withheld: 0, unexpected: 0, outsidePeriod: 0, lost: 0, dead: 0 };
const audit = { rows: 2, unpersisted: 0, ...zeros };
const statuses = new Map<string, Readonly<Record<string, unknown>>>([
  ['a', { status: 'ISSUED', sequence: 1 }],
  ['b', { status: 'ISSUED', sequence: 2 }],
]);
const found: Found = { audit, statuses };

/** The numbers of the promises that the verdict finds broken. */
const broken = (crowd: typeof exact, has: Found = found) =>
  verdictsOf(crowd, has, rehearsed)
    .filter(({ holds }) => !holds)
    .map(({ promise }) => promise.slice(0, 2));
const withGiven = (...more: Given[]) => ({ ...exact, given: [...exact.given, ...more] });

test('an exact rehearsal has five promises that hold', () => {
  expect(verdictsOf(exact, found, rehearsed).map(({ holds }) => holds)).toEqual([true, true, true, true, true]);
});

test('a success whose first answer was ambiguous is one, whichever answer tells the user', () => {
  const recovered = {
    ...exact,
    given: [given('a', 'issued', 1), given('b', 'unknown', null), given('b', 'already issued', 2)],
  };
  const verdicts = verdictsOf(recovered, found, rehearsed);
  expect(verdicts.filter(({ isPromise }) => isPromise).map(({ holds }) => holds)).toEqual([
    true,
    true,
    true,
    true,
    true,
  ]);
  expect(verdicts.at(-1)).toMatchObject({ isPromise: false, holds: false });
  const lost = { audit, statuses: new Map([...statuses, ['b', { status: 'NONE', sequence: null }]]) };
  expect(verdictsOf(recovered, lost, rehearsed).find(({ promise }) => promise.startsWith('P3'))?.holds).toBe(false);
});

describe('the verdict finds', () => {
  test.each([
    ['a third success for two pieces', withGiven(given('c', 'issued', 3)), found, ['P1', 'P3']],
    ['a row too many', exact, { audit: { ...audit, rows: 3 }, statuses }, ['P1', 'P4']],
    ['a user with two numbers', withGiven(given('a', 'issued', 3)), found, ['P1', 'P2', 'P3']],
    [
      'a number that two users have',
      { ...exact, given: [given('a', 'issued', 1), given('b', 'issued', 1)] },
      found,
      ['P2', 'P3'],
    ],
    [
      'a success that is no row',
      exact,
      { audit, statuses: new Map([...statuses, ['b', { status: 'NONE', sequence: null }]]) },
      ['P3'],
    ],
    [
      'a row under another number',
      exact,
      { audit, statuses: new Map([...statuses, ['b', { status: 'ISSUED', sequence: 1 }]]) },
      ['P3'],
    ],
    ['a user who is said to have what nobody gave', withGiven(given('d', 'already issued', 2)), found, ['P3']],
    [
      'sold out with a piece left',
      { ...exact, given: [given('a', 'issued', 1), given('c', 'sold out', null)] },
      { audit: { ...audit, rows: 1 }, statuses },
      ['P4'],
    ],
    ['a success before the start', withGiven(given('b', 'issued', 2, -200)), found, ['P1', 'P2', 'P5']],
    ['an answer that says nothing', withGiven(given('e', 'unknown', null)), found, ['Ev']],
    ...(['missing', 'lost', 'dead'] as const).map(
      (name) => [`${name} in the audit`, exact, { audit: { ...audit, [name]: 1 }, statuses }, ['P3']] as const,
    ),
    ['pieces that are withheld', exact, { audit: { ...audit, withheld: 1 }, statuses }, ['P4']],
    ['rows outside the period', exact, { audit: { ...audit, outsidePeriod: 1 }, statuses }, ['P5']],
  ] as const)('%s', (_, crowd, has, promises) => {
    expect(broken({ ...crowd, given: [...crowd.given] }, has)).toEqual([...promises]);
  });
});
