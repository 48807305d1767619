// The verdict of k6's teardown: a right audit passes, and each damage breaks the promise it is about, and no other.
import { expect, test } from 'bun:test';
import { type Audit, promisesIn } from '../../bench/k6/promises.ts';

const right: Audit = {
  totalQuantity: 100,
  issuedQuantity: 100,
  rows: 100,
  unpersisted: 0,
  dead: 0,
  missing: 0,
  unknown: 0,
  unexpected: 0,
  outsidePeriod: 0,
};

const broken = (damage: Partial<Audit>, runsOut = true) =>
  Object.entries(promisesIn({ ...right, ...damage }, runsOut)).flatMap(([name, held]) =>
    held ? [] : [name.slice(0, 2)],
  );

test('a right audit keeps all five promises', () => {
  expect(Object.keys(promisesIn(right, true)).map((name) => name.slice(0, 2))).toEqual(['P1', 'P2', 'P3', 'P4', 'P5']);
  expect(broken({})).toEqual([]);
  expect(broken({ totalQuantity: null }, false)).toEqual([]);
});

const damages: [what: string, damage: Partial<Audit>, promises: string[]][] = [
  ['a row above the total', { rows: 101, issuedQuantity: 101, unexpected: 1 }, ['P1', 'P4']],
  ['a counter that is not the rows', { issuedQuantity: 99 }, ['P1']],
  ['an issue that Redis does not know of', { unknown: 1 }, ['P2']],
  ['an issue that is nowhere', { missing: 1 }, ['P3']],
  ['an issue that the worker never wrote', { unpersisted: 1 }, ['P3']],
  ['a dead issue', { dead: 1 }, ['P3']],
  ['no issue at all', { rows: 0, issuedQuantity: 0 }, ['P3', 'P4']],
  ['stock that is left', { rows: 99, issuedQuantity: 99 }, ['P4']],
  ['a row outside the period', { outsidePeriod: 1 }, ['P5']],
];

for (const [what, damage, promises] of damages) {
  test(`seen: ${what}`, () => expect(broken(damage)).toEqual(promises));
}

test('stock may be left where it does not run out', () => {
  expect(broken({ rows: 99, issuedQuantity: 99 }, false)).toEqual([]);
});
