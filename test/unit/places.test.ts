// places.test.ts -- Places for listeners: no address and no user takes all of them, and operators have their own.

import { expect, test } from 'bun:test';
import { type ListeningCaller, Places } from '../../src/issues/places.ts';

const settings = {
  LISTENERS_MAX: 5,
  LISTENERS_PER_USER_MAX: 2,
  LISTENERS_PER_ADDRESS_MAX: 3,
  LISTENERS_OPERATORS_MAX: 1,
};
const operator: ListeningCaller = { kind: 'operator', name: null };
const user = (name: string): ListeningCaller => ({ kind: 'user', name });
const address = (name: string | null): ListeningCaller => ({ kind: 'address', name });

/** What each of them is given, in order. */
function taken(places: Places, ...callers: readonly ListeningCaller[]): string[] {
  return callers.map((caller) => {
    const free = places.take(caller);
    return typeof free === 'string' ? free : 'a place';
  });
}

test('an address and a user have a few places each, whatever is free', () => {
  const places = new Places(settings);
  expect(taken(places, ...Array.from({ length: 4 }, () => address('192.0.2.1')))).toEqual([
    'a place',
    'a place',
    'a place',
    'own taken',
  ]);
  expect(taken(places, user('a'), user('a'), user('a'))).toEqual(['a place', 'a place', 'own taken']);
});

test('a user behind a full address has places all the same', () => {
  const places = new Places(settings);
  taken(places, ...Array.from({ length: 3 }, () => address('192.0.2.1')));
  expect(taken(places, address('192.0.2.1'), user('a'))).toEqual(['own taken', 'a place']);
});

test('operators have places when all others are taken, and take none of them', () => {
  const places = new Places(settings);
  expect(taken(places, operator, operator)).toEqual(['a place', 'all taken']);
  expect(taken(places, ...['1', '2', '3', '4', '5', '6'].map(address))).toEqual([
    ...Array.from({ length: 5 }, () => 'a place'),
    'all taken',
  ]);
  const quiet = new Places(settings);
  taken(quiet, ...['1', '2', '3', '4', '5', '6'].map(address));
  expect(taken(quiet, operator)).toEqual(['a place']);
});

test('a place that is freed is free once, however often that is said', () => {
  const places = new Places({ ...settings, LISTENERS_MAX: 2 });
  const first = places.take(address('1'));
  taken(places, address('2'));
  if (typeof first === 'string') throw new Error(first);
  first();
  first();
  expect(taken(places, address('1'), address('1'))).toEqual(['a place', 'all taken']);
});

test('callers whose address is not known are bounded together with all others alone', () => {
  expect(taken(new Places(settings), ...Array.from({ length: 6 }, () => address(null)))).toEqual([
    ...Array.from({ length: 5 }, () => 'a place'),
    'all taken',
  ]);
});
