// load.ts -- Callers who ask for coupons without a pause while something is done to the stores, and what they were answered.

import { setTimeout as pause } from 'node:timers/promises';
import { InvariantViolation } from '../src/invariant.ts';
import type { IssuerName } from '../src/issuing/issuer.ts';
import type { ApiParts } from '../src/wiring/api.ts';
import { eventually } from './eventually.ts';
import type { Answer } from './promises.ts';

/** Three callers for each coupon, each asking for one new user after another until stopped. */
export function startLoad(
  { issuers }: Pick<ApiParts, 'issuers'>,
  issuer: IssuerName,
  ids: readonly number[],
  prefix = 'user',
) {
  const answers: (Answer & { readonly couponId: number })[] = [];
  const unknown: { couponId: number; userId: string }[] = [];
  let users = 0;
  let isRunning = true;
  let failure: Error | null = null;
  let lastError: unknown = null;
  const ask = async (couponId: number, userId: string) => {
    try {
      const [outcome] = await issuers[issuer].issue(couponId, [userId]);
      if (outcome) answers.push({ couponId, userId, outcome });
    } catch (error) {
      // An ambiguous result is all that may go wrong.
      if (error instanceof InvariantViolation) throw error;
      unknown.push({ couponId, userId });
      lastError = error;
      // What fails immediately would leave no time for anything else.
      await pause(5);
    }
  };
  const call = async (couponId: number) => {
    while (isRunning) await ask(couponId, `${prefix}-${(users += 1)}`);
  };
  const calls = Promise.all(ids.flatMap((id) => [call(id), call(id), call(id)])).catch((error: unknown) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  const answered = (count: number) => {
    const before = answers.length;
    return eventually(`${count} answers`, () => {
      if (failure) throw failure;
      return answers.length >= before + count;
    }).catch((error: unknown) => {
      const seen = `${answers.length - before} answers and ${unknown.length} failures, the last: ${String(lastError)}`;
      throw new Error(seen, { cause: error });
    });
  };
  return {
    answers,
    answersOf: (id: number) => answers.filter(({ couponId }) => couponId === id),
    answered,
    /** Asks again for the users whose result is ambiguous: what they have then is what they were issued the first time. */
    async stop() {
      isRunning = false;
      await calls;
      if (failure) throw failure;
      for (const { couponId, userId } of unknown) {
        const [outcome] = await issuers.scripted.issue(couponId, [userId]);
        if (outcome?.kind === 'issued' || outcome?.kind === 'already issued')
          answers.push({ couponId, userId, outcome: { kind: 'issued', sequence: outcome.sequence } });
      }
    },
  };
}
