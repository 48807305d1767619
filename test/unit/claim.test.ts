// claim.test.ts -- How the page for people asks: what is indeterminate is asked again, and what is known is told as it is.

import { expect, test } from 'bun:test';
import { type Claim, claim } from '../../web/drop/claim.ts';
import { ApiFault } from '../../web/shared/http.ts';

const fault = (status: number, code: string, members: object = {}) => new ApiFault(status, { code, ...members });

/** Asks a server that answers like this, in turn. */
async function claimFrom(answers: readonly (number | Error)[]) {
  const pauses: number[] = [];
  let asked = 0;
  let again = 0;
  const ending = await claim({
    issue: async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)];
      if (answer instanceof Error) throw answer;
      return answer ?? 0;
    },
    pause: async (ms) => void pauses.push(ms),
    random: () => 1,
    onAgain: () => (again += 1),
  });
  expect(again).toBe(pauses.length);
  return { ending, asked, pauses };
}

const known: readonly [Error, Claim][] = [
  [fault(409, 'DUPLICATED_COUPON_ISSUE', { sequence: 37 }), { kind: 'had', sequence: 37 }],
  [fault(409, 'INVALID_COUPON_ISSUE_QUANTITY'), { kind: 'sold out' }],
  [fault(409, 'INVALID_COUPON_ISSUE_DATE'), { kind: 'closed' }],
  [fault(403, 'FORBIDDEN', { detail: 'no' }), { kind: 'refused', detail: 'no' }],
];

test.each(known)('%p is the answer, and nobody asks again', async (answer, ending) => {
  expect(await claimFrom([answer])).toEqual({ ending, asked: 1, pauses: [] });
});

test.each([0, 429, 500, 502, 503])(
  'after %p the page asks again, and tells only what it then learns',
  async (status) => {
    const { ending, asked } = await claimFrom([fault(status, 'ANY'), fault(status, 'ANY'), 5]);
    expect({ ending, asked }).toEqual({ ending: { kind: 'won', sequence: 5 }, asked: 3 });
  },
);

test('it asks with growing pauses, not for ever, and then says that it does not know', async () => {
  const { ending, pauses } = await claimFrom([fault(503, 'FAIL_COUPON_ISSUE_REQUEST')]);
  expect({ ending, pauses }).toEqual({ ending: { kind: 'unknown' }, pauses: [400, 800, 1600, 3200, 5000, 5000, 5000] });
});

test('what is a bug is not taken for an answer', async () => {
  await expect(claimFrom([new TypeError('a bug')])).rejects.toThrow('a bug');
});
