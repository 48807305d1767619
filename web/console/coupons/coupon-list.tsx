// coupon-list.tsx -- The coupons, a page at a time: what each is doing, how far it is, and what can be done with it.

import type { Coupon } from '../../../client/coupon-client.ts';
import { fill, instant } from '../../shared/language.ts';
import { Loaded } from '../loaded.tsx';
import { useNowMs } from '../now.ts';
import { addressOf } from '../place.ts';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator, mayChange } from '../session.ts';

export function CouponList({ after }: { readonly after: number }) {
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
      <Loaded name={`coupons ${after}`} read={({ coupons }) => coupons.list({ limit: 20, after })}>
        {({ value: { coupons, next } }, readAgain, aheadMs) => (
          <>
            {coupons.length === 0 ? (
              <p class="card hint">{say('noCoupons')}</p>
            ) : (
              <Table coupons={coupons} aheadMs={aheadMs} onChanged={readAgain} />
            )}
            <div class="row">
              {after > 0 && <a href={addressOf({ kind: 'coupons', after: 0 })}>{say('first')}</a>}
              {next !== null && <a href={addressOf({ kind: 'coupons', after: next })}>{say('more')}</a>}
            </div>
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
      <table>
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
  return (
    <tr>
      <th scope="row">
        <a href={addressOf({ kind: 'watch', id })}>{title}</a> <span class="hint number">#{id}</span>
      </th>
      <td>
        <Status coupon={coupon} nowMs={nowMs} left={totalQuantity === null ? null : totalQuantity - issuedQuantity} />
      </td>
      <td class="number">
        <Amount coupon={coupon} />
      </td>
      <td class="hint">
        <span class="line">{instant(coupon.dateIssueStart)}</span> –{' '}
        <span class="line">{instant(coupon.dateIssueEnd)}</span>
      </td>
      {mayChange.value && (
        <td>
          {coupon.dateArchived === null && (
            <div class="row end">
              <PauseButton coupon={coupon} onChanged={onChanged} />
              <a
                class="button"
                href={addressOf({ kind: 'edit', id })}
                aria-label={fill('{verb}: {title}', { verb: say('edit'), title })}
              >
                {say('edit')}
              </a>
            </div>
          )}
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

export interface StatusProps {
  readonly coupon: Coupon;
  readonly nowMs: number;
  /** Null without limit. */
  readonly left: number | null;
}

/** What the coupon is doing, in a word. */
export function Status({ coupon, nowMs, left }: StatusProps) {
  const state = stateOf(coupon, nowMs, left);
  return <span class={state === 'open' ? 'status on' : 'status'}>{say(state)}</span>;
}

/** What a coupon is doing at an instant of the server's clock; the checks are in the order of the rules. */
function stateOf(coupon: Coupon, nowMs: number, left: number | null) {
  if (coupon.dateArchived !== null) return 'archived';
  if (coupon.paused) return 'paused';
  if (nowMs < Date.parse(coupon.dateIssueStart)) return 'not started';
  if (nowMs >= Date.parse(coupon.dateIssueEnd)) return 'ended';
  return left === 0 ? 'sold out' : 'open';
}

/** Pauses issuing, or resumes it. */
export function PauseButton({ coupon, onChanged }: { readonly coupon: Coupon; onChanged(): void }) {
  const { id, title, paused, version } = coupon;
  const verb = say(paused ? 'resume' : 'pause');
  const change = async () => {
    const result = await asOperator(({ coupons }) => coupons.edit(id, { paused: !paused }, { version }));
    if (result.kind === 'done') announce(say(paused ? 'resumedDone' : 'pausedDone', { title }));
    else announceFailure(result);
    onChanged();
  };
  return (
    <button type="button" onClick={() => void change()} aria-label={`${verb}: ${title}`}>
      {verb}
    </button>
  );
}
