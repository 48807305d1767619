// facts.tsx -- The terms of the coupon: when it is issued and, another thing, when it can be used; how many there are, and from what order on.
//
// The rows are the same from the countdown to the result, so that nothing on the page moves; the server draws as many before the script runs.

import type { Drop, IssueState } from '../../client/coupon-client.ts';
import { instant, money, wholeNumber } from '../shared/language.ts';
import { say } from './say.ts';

interface FactsProps {
  readonly coupon: Drop;
  /** What the user has. */
  readonly issue: IssueState | null;
}

export function Facts({ coupon, issue }: FactsProps) {
  const { totalQuantity, minAvailableAmount, currency } = coupon;
  return (
    <dl class="facts">
      <Fact name={say('issuedFrom')} value={instant(coupon.dateIssueStart)} />
      <Fact name={say('issuedUntil')} value={instant(coupon.dateIssueEnd)} />
      <Fact
        name={say('quantity')}
        value={totalQuantity === null ? say('noLimit') : say('total', { total: totalQuantity })}
      />
      {minAvailableAmount > 0 && <Fact name={say('minimum')} value={money(minAvailableAmount, currency)} />}
      <Use coupon={coupon} issue={issue} />
    </dl>
  );
}

function Use({ coupon: { usableFrom, usableUntil, usableDays }, issue }: FactsProps) {
  const until = issue?.usableUntil ?? usableUntil;
  const days = usableDays === null ? null : say('useWithin', { days: wholeNumber(usableDays) });
  return (
    <>
      {usableFrom !== null && usableDays === null && <Fact name={say('useFrom')} value={instant(usableFrom)} />}
      {until !== null && (days === null || issue) && <Fact name={say('useUntil')} value={instant(until)} />}
      {days !== null && !issue?.usableUntil && <Fact name={say('useUntil')} value={days} />}
    </>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      {/* As in `Left`: of a text that changes nothing moves. */}
      <dd class="number" key={value}>
        {value}
      </dd>
    </div>
  );
}
