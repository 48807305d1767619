// coupon-form.tsx -- Creates a coupon, also as a copy of another, or edits the version that the reader saw, so that no change is lost.

import { useState } from 'preact/hooks';
import type { Coupon, CouponDraft } from '../../../client/coupon-client.ts';
import { timeZone } from '../../shared/time-zone.ts';
import { Loaded } from '../loaded.tsx';
import { say } from '../say.ts';
import { asOperator } from '../session.ts';
import { Form } from './form.tsx';
import { RemoveButton } from './remove-button.tsx';

const HOUR_MS = 3_600_000;

export function CreateCoupon() {
  const startMs = nextHourMs();
  const fields: CouponDraft = {
    title: '',
    totalQuantity: 1000,
    discountAmount: 5000,
    minAvailableAmount: 0,
    currency: 'KRW',
    usableFrom: null,
    usableUntil: null,
    usableDays: null,
    timeZone: timeZone.value ?? 'UTC',
    dateIssueStart: new Date(startMs).toISOString(),
    dateIssueEnd: new Date(startMs + 24 * HOUR_MS).toISOString(),
    listed: false,
  };
  return (
    <>
      <h1 tabIndex={-1}>{say('newCoupon')}</h1>
      <NewForm fields={fields} />
    </>
  );
}

/** With the same terms, for as long, from the next hour on; and not announced yet. */
export function DuplicateCoupon({ id }: { readonly id: number }) {
  return (
    <Loaded name={`duplicate ${id}`} read={({ coupons }) => coupons.read(id)}>
      {({ value: coupon }) => (
        <>
          <h1 tabIndex={-1}>{say('duplicateTitle', { title: coupon.title })}</h1>
          <NewForm fields={copyOf(coupon)} />
        </>
      )}
    </Loaded>
  );
}

function copyOf(coupon: Coupon): CouponDraft {
  const { title, totalQuantity, discountAmount, minAvailableAmount, currency, dateIssueStart, dateIssueEnd } = coupon;
  const { usableFrom, usableUntil, usableDays } = coupon;
  const startMs = nextHourMs();
  const byMs = startMs - Date.parse(dateIssueStart);
  const later = (iso: string) => new Date(Math.min(Date.parse(iso) + byMs, LAST_MS)).toISOString();
  return {
    title,
    totalQuantity,
    discountAmount,
    minAvailableAmount,
    currency,
    usableDays,
    timeZone: coupon.timeZone,
    dateIssueStart: later(dateIssueStart),
    dateIssueEnd: later(dateIssueEnd),
    usableFrom: usableFrom === null ? null : later(usableFrom),
    usableUntil: usableUntil === null ? null : later(usableUntil),
    listed: false,
  };
}

const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

function nextHourMs(): number {
  return Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;
}

function NewForm({ fields }: { readonly fields: CouponDraft }) {
  // Drawn again with another text, it is still the same draft.
  const [first] = useState(fields);
  return (
    <Form
      base={first}
      typed={{}}
      verb={say('create')}
      save={(draft) => asOperator(({ coupons }) => coupons.create(draft))}
    />
  );
}

export function EditCoupon({ id }: { readonly id: number }) {
  // What was typed while somebody else saved.
  const [typed, setTyped] = useState<Partial<CouponDraft>>({});
  return (
    <Loaded name={`edit ${id}`} read={({ coupons }) => coupons.read(id)}>
      {({ value: coupon }, readAgain) => (
        <>
          <h1 tabIndex={-1}>{say('editTitle', { title: coupon.title })}</h1>
          <Form
            key={coupon.version}
            base={coupon}
            typed={typed}
            verb={say('save')}
            areTermsFixed={coupon.issuedQuantity > 0}
            save={(_, changes) => asOperator(({ coupons }) => coupons.edit(id, changes, { version: coupon.version }))}
            onOther={(changes) => {
              setTyped(changes);
              readAgain();
            }}
          >
            <RemoveButton coupon={coupon} />
          </Form>
        </>
      )}
    </Loaded>
  );
}
