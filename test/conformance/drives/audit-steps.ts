// audit-steps.ts -- The audit of a story: `src/operations/audit.ts`, one read at a time, and what it says at its end.

import { auditCoupon, type CouponCounts } from '../../../src/operations/audit.ts';
import { look } from '../../model/scripts.ts';
import type { State } from '../../model/state.ts';
import { resultOf } from '../real-world.ts';
import type { Drive } from '../steps.ts';

/** What an audit is about to send, by where the model says that it stands. */
export const auditWaits: Readonly<Record<number, string>> = {
  1: 'xrange',
  2: 'xrange',
  3: 'xrange',
  4: 'begin',
  5: 'look',
};

const go: Drive = async (world, { after }) => {
  await world.audit?.process.advance({ until: [auditWaits[after.audits[0]?.at ?? 0] ?? ''] });
};

export const auditSteps: Readonly<Record<string, Drive>> = {
  'an audit looks at the state': async (world, step) => {
    world.audit = await world.start((parts) => auditCoupon(parts, world.couponId));
    await go(world, step);
  },
  'an audit reads the stream': go,
  'an audit reads the dead letters': go,
  'an audit reads the stream again': go,
  'an audit counts the rows': go,
  'an audit looks at the state again': async (world, { before }) => {
    const { audit } = world;
    await audit?.process.advance();
    const found = audit && resultOf(audit.process);
    world.audit = null;
    const expected = expectedOf(before);
    const said = JSON.stringify(found && pick(found));
    if (said !== JSON.stringify(expected))
      throw new Error(`the audit says ${said}, and the model ${JSON.stringify(expected)}`);
  },
};

const pick = ({ owners, next, missing, unknown, unexpected }: CouponCounts) => ({
  owners,
  next,
  missing,
  unknown,
  unexpected,
});

function expectedOf(s: State): ReturnType<typeof pick> {
  const [audit] = s.audits;
  const seen = look(s);
  if (!audit || audit.next === 0 || seen === 'not open' || seen.epoch !== audit.epoch)
    return { owners: null, next: null, missing: 0, unknown: 0, unexpected: 0 };
  const { owners, next, missing, unknown } = audit;
  return { owners, next, missing, unknown, unexpected: 0 };
}
