// coupon-list.tsx -- The coupons, a page at a time: searched, filtered and sorted; what each is doing, how far it is, and what can be done with it.

import type { Coupon } from '../../../client/coupon-client.ts';
import { fill, instant } from '../../shared/language.ts';
import { Loaded } from '../loaded.tsx';
import { useNowMs } from '../now.ts';
import { addressOf, type CouponsAt } from '../place.ts';
import { say } from '../say.ts';
import { mayChange } from '../session.ts';
import { ListControls, ListPages, PAGE_SIZE, queryOf } from './list-controls.tsx';
import { PauseButton } from './pause-button.tsx';
import { Status } from './status.tsx';

export function CouponList({ at }: { readonly at: CouponsAt }) {
  return (
    <>
      <div class="row spread">
        <h1 tabIndex={-1}>{say('coupons')}</h1>
        {mayChange.value && (
          <a class="button primary" href={addressOf({ kind: 'new' })}>
            {say('newCoupon')}
          </a>
        )}
      </div>
      <ListControls at={at} />
      <Loaded
        name={`coupons ${addressOf({ kind: 'coupons', ...at })}`}
        read={({ coupons }) => coupons.list(queryOf(at))}
      >
        {({ value: { coupons, total } }, readAgain, aheadMs) => (
          <>
            <ListPages at={at} total={total} />
            {coupons.length === 0 ? (
              <p class="card hint">{say(at.search || at.state ? 'noneFound' : 'noCoupons')}</p>
            ) : (
              <Table coupons={coupons} aheadMs={aheadMs} onChanged={readAgain} />
            )}
            {total > PAGE_SIZE && <ListPages at={at} total={total} />}
          </>
        )}
      </Loaded>
    </>
  );
}

interface TableProps {
  readonly coupons: readonly Coupon[];
  readonly aheadMs: number;
  onChanged(): void;
}

function Table({ coupons, aheadMs, onChanged }: TableProps) {
  const nowMs = useNowMs(aheadMs);
  return (
    <div class="card flush">
      <table class="coupons">
        <caption class="hidden">{say('coupons')}</caption>
        <thead>
          <tr>
            <th scope="col">{say('coupon')}</th>
            <th scope="col">{say('status')}</th>
            <th scope="col">{say('issued')}</th>
            <th scope="col">{say('period')}</th>
            {mayChange.value && (
              <th scope="col">
                <span class="hidden">{say('actions')}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {coupons.map((coupon) => (
            <Row key={coupon.id} coupon={coupon} nowMs={nowMs} onChanged={onChanged} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  readonly coupon: Coupon;
  readonly nowMs: number;
  onChanged(): void;
}

function Row({ coupon, nowMs, onChanged }: RowProps) {
  const { id, title, totalQuantity, issuedQuantity } = coupon;
  const named = (verb: string) => fill('{verb}: {title}', { verb, title });
  return (
    <tr>
      <th scope="row">
        <span class="one-line">
          <a href={addressOf({ kind: 'watch', id })} title={title}>
            {title}
          </a>
        </span>
        <span class="hint number">#{id}</span>
      </th>
      <td>
        <Status coupon={coupon} nowMs={nowMs} left={totalQuantity === null ? null : totalQuantity - issuedQuantity} />
      </td>
      <td class="number">
        <Amount coupon={coupon} />
      </td>
      <td class="hint">
        <span class="line">{instant(coupon.dateIssueStart)}</span>{' '}
        <span class="line">– {instant(coupon.dateIssueEnd)}</span>
      </td>
      {mayChange.value && (
        <td>
          <div class="row end">
            {coupon.dateArchived === null && (
              <>
                <PauseButton coupon={coupon} onChanged={onChanged} />
                <a class="button" href={addressOf({ kind: 'edit', id })} aria-label={named(say('edit'))}>
                  {say('edit')}
                </a>
              </>
            )}
            <a class="button" href={addressOf({ kind: 'duplicate', id })} aria-label={named(say('duplicate'))}>
              {say('duplicate')}
            </a>
          </div>
        </td>
      )}
    </tr>
  );
}

function Amount({ coupon: { totalQuantity, issuedQuantity } }: { readonly coupon: Coupon }) {
  if (totalQuantity === null) return <>{say('unlimited', { issued: issuedQuantity })}</>;
  return (
    <>
      {say('ofTotal', { issued: issuedQuantity, total: totalQuantity })}
      <progress class="bar" value={issuedQuantity} max={totalQuantity} aria-label={say('issued')} />
    </>
  );
}
