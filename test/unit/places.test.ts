// places.test.ts -- Places for listeners: no address and no user takes all of them, and operators have their own.

import { afterEach, beforeEach, expect, jest, test } from 'bun:test';
import { HEARTBEAT_MS, streamLifeMs } from '../../src/http/sse.ts';
import { KEEP_MS, type ListeningCaller, type Place, Places } from '../../src/issues/places.ts';

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
    const place = places.take(caller);
    return typeof place === 'string' ? place : 'a place';
  });
}

function placeOf(places: Places, caller: ListeningCaller, token?: string): Place {
  const place = places.take(caller, token);
  if (typeof place === 'string') throw new Error(place);
  return place;
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

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
  const first = placeOf(places, address('1'));
  taken(places, address('2'));
  first.free();
  first.free();
  expect(taken(places, address('1'), address('1'))).toEqual(['a place', 'all taken']);
});

test('callers whose address is not known are bounded together with all others alone', () => {
  expect(taken(new Places(settings), ...Array.from({ length: 6 }, () => address(null)))).toEqual([
    ...Array.from({ length: 5 }, () => 'a place'),
    'all taken',
  ]);
});

test('a place that is kept is for the caller that shows its token, once, and counts until then', () => {
  const places = new Places({ ...settings, LISTENERS_MAX: 1 });
  const first = placeOf(places, address('1'));
  const token = first.keep();
  // The stream ends after its place was kept.
  first.free();
  expect(places.take(address('2'))).toBe('all taken');
  expect(places.take(address('2'), 'another token')).toBe('all taken');
  const second = placeOf(places, address('1'), token);
  expect(places.take(address('1'), token)).toBe('all taken');
  // What is left of the first place must not free the second.
  first.free();
  jest.advanceTimersByTime(2 * KEEP_MS);
  expect(places.take(address('2'))).toBe('all taken');
  second.free();
  expect(taken(places, address('2'))).toEqual(['a place']);
});

test('a place that nobody takes again is free after a few seconds, and its token is worth nothing', () => {
  const places = new Places({ ...settings, LISTENERS_MAX: 1 });
  const token = placeOf(places, address('1')).keep();
  jest.advanceTimersByTime(KEEP_MS - 1);
  expect(places.take(address('2'))).toBe('all taken');
  jest.advanceTimersByTime(1);
  const other = placeOf(places, address('2'));
  expect(places.take(address('1'), token)).toBe('all taken');
  other.free();
  expect(taken(places, address('1'), address('2'))).toEqual(['a place', 'all taken']);
});

test('a listener that vanished gives its place back within two heartbeats', () => {
  for (let i = 0; i < 1000; i += 1) expect(streamLifeMs() + KEEP_MS).toBeLessThan(2 * HEARTBEAT_MS);
});

test('a kept place is taken again by a caller that has all its places, and gives it no more of them', () => {
  const places = new Places(settings);
  const [first] = [placeOf(places, user('a')), placeOf(places, user('a'))];
  const token = first?.keep() ?? '';
  expect(places.take(user('a'))).toBe('own taken');
  placeOf(places, user('a'), token);
  expect(places.take(user('a'), token)).toBe('own taken');
});
