// answers.ts -- What the caller of a request is answered: as the model says, and as the product said it.

import { deepStrictEqual } from 'node:assert';
import type { Outcome } from '../../src/coupon/outcome.ts';
import type { Process } from './gate.ts';

/** One per user: above zero the sequence just issued, below zero that which the user has, zero when sold out; else why not; null: no answer. */
export type Answers = readonly (number | string)[] | null;

/** What a request that ended was answered; null for 503 or no answer. */
export function answersOf({ ended }: Process<readonly Outcome[]>): Answers {
  if (ended === null || 'error' in ended) return null;
  return ended.value.map((outcome) => {
    if (outcome.kind === 'issued') return outcome.sequence;
    if (outcome.kind === 'already issued') return -outcome.sequence;
    return outcome.kind === 'sold out' ? 0 : outcome.kind;
  });
}

/** The users of a batch, from 0, by the number that the model has for it. */
export function usersOf(who: number): readonly number[] {
  return Array.from(String(who), (digit) => Number(digit) - 1);
}

export function expectAnswers(found: Answers, expected: Answers): void {
  deepStrictEqual(found, expected, `answered ${words(found)}, and the model says ${words(expected)}`);
}

function words(answers: Answers): string {
  return answers === null ? 'nothing' : answers.join(', ');
}
