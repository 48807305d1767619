// recent-answers.test.ts -- What a process remembers of its answers, for how long, and how much at most.

import { expect, test } from 'bun:test';
import { ownersIn, RecentAnswers } from '../../src/stock/recent-answers.ts';

let elapsedMs = 0;
const answersOf = (max: number) => new RecentAnswers({ ANSWERS_MS_MAX: 100, ANSWERS_MAX: max }, () => elapsedMs);
const batch = (server: string, ...users: string[]) => ({
  couponId: 1,
  server,
  users,
  outcomes: { first: 1 },
  acceptedMs: 1000,
  isPromised: true,
});
const doubtsOf = (answers: RecentAnswers, now: string) =>
  [...answers.inDoubt(() => now).values()].flat().flatMap(({ users }) => users);

test('what the server that is there decided is in no doubt, and what another one decided is', () => {
  const answers = answersOf(10);
  answers.add(batch('old', 'a'));
  answers.add(batch('new', 'b'));
  expect(doubtsOf(answers, 'new')).toEqual(['a']);
  expect(doubtsOf(answers, 'third')).toEqual(['a', 'b']);
  // While it is not known which server is there, nothing is offered to it.
  expect(doubtsOf(answers, '')).toEqual([]);
});

test('an answer is forgotten once it is old and its server is still there, and kept through an outage of any length', () => {
  const answers = answersOf(10);
  answers.add(batch('old', 'a'));
  elapsedMs += 101;
  answers.expire(() => '');
  answers.expire(() => 'new');
  expect(doubtsOf(answers, 'new')).toEqual(['a']);
  answers.expire(() => 'old');
  expect(doubtsOf(answers, 'new')).toEqual([]);
});

test('no more users are remembered than the bound, the latest', () => {
  const answers = answersOf(3);
  for (let i = 0; i < 1000; i += 1) answers.add(batch('old', `a${i}`, `b${i}`));
  expect(doubtsOf(answers, 'new')).toEqual(['a999', 'b999']);
});

test('once compared, answers stand under the new server, without those that were lost', () => {
  const answers = answersOf(10);
  answers.add(batch('old', 'a', 'b', 'c'));
  answers.settle(answers.inDoubt(() => 'new').get(1) ?? [], 'new', new Set(['b']));
  expect(doubtsOf(answers, 'new')).toEqual([]);
  const [kept] = answers.inDoubt(() => 'third').get(1) ?? [];
  expect(kept && ownersIn(kept)).toEqual([
    { userId: 'a', sequence: 1, acceptedMs: 1000, isPromised: true },
    { userId: 'c', sequence: 3, acceptedMs: 1000, isPromised: true },
  ]);
});

test('only who has a sequence is an owner: issued now or before, and "already issued" is an answer', () => {
  const outcomes = [
    { kind: 'sold out' },
    { kind: 'issued', sequence: 7 },
    { kind: 'already issued', sequence: 2 },
  ] as const;
  for (const isPromised of [true, false])
    expect(ownersIn({ ...batch('old', 'a', 'b', 'c'), outcomes, isPromised })).toEqual([
      { userId: 'b', sequence: 7, acceptedMs: 1000, isPromised },
      { userId: 'c', sequence: 2, acceptedMs: 0, isPromised: true },
    ]);
});
