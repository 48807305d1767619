// list-controls.tsx -- What of the list of coupons is shown: search, state, order and page, all of them in the address.

import { useEffect, useRef } from 'preact/hooks';
import type { CouponListOptions } from '../../../client/coupon-client.ts';
import { addressOf, type CouponsAt, go } from '../place.ts';
import { say } from '../say.ts';
import type { TextName } from '../texts.ts';

export const PAGE_SIZE = 20;
/** From one letter to the next of somebody who types. */
const TYPING_MS = 300;

const orders = [
  ['newest', 'orderNewest'],
  ['oldest', 'orderOldest'],
  ['start', 'orderStart'],
  ['issued', 'orderIssued'],
  ['title', 'orderTitle'],
] as const satisfies readonly (readonly [CouponListOptions['order'], TextName])[];

const states = ['open', 'not started', 'paused', 'sold out', 'ended', 'archived'] as const;

/** What an address asks for; what is no value in it is as at first. */
export function queryOf({ page = 1, order, state, search = '' }: CouponsAt): CouponListOptions {
  return {
    limit: PAGE_SIZE,
    skip: (page - 1) * PAGE_SIZE,
    order: orders.find(([name]) => name === order)?.[0] ?? 'newest',
    state: states.find((name) => name === state) ?? 'any',
    search: search.slice(0, 200),
  };
}

export function ListControls({ at }: { readonly at: CouponsAt }) {
  const { order, state } = queryOf(at);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const show = (change: CouponsAt) => go({ kind: 'coupons', ...at, ...change, page: 1 });
  useEffect(() => () => clearTimeout(timer.current), []);
  const searchFor = (search: string, afterMs: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => show({ search: search.trim() }), afterMs);
  };
  return (
    <form
      class="row controls"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        searchFor(event.currentTarget.querySelector('input')?.value ?? '', 0);
      }}
    >
      <input
        type="search"
        aria-label={say('searchCoupons')}
        placeholder={say('searchCoupons')}
        defaultValue={at.search}
        maxLength={200}
        onInput={({ currentTarget }) => searchFor(currentTarget.value, TYPING_MS)}
      />
      <select
        aria-label={say('status')}
        value={state}
        onChange={({ currentTarget }) => show({ state: currentTarget.value === 'any' ? '' : currentTarget.value })}
      >
        <option value="any">{say('anyState')}</option>
        {states.map((name) => (
          <option key={name} value={name}>
            {say(name)}
          </option>
        ))}
      </select>
      <select
        aria-label={say('order')}
        value={order}
        onChange={({ currentTarget }) => show({ order: currentTarget.value === 'newest' ? '' : currentTarget.value })}
      >
        {orders.map(([name, text]) => (
          <option key={name} value={name}>
            {say(text)}
          </option>
        ))}
      </select>
    </form>
  );
}

/** How many there are, which of them are shown, and the pages before and after. */
export function ListPages({ at, total }: { readonly at: CouponsAt; readonly total: number }) {
  const { page = 1 } = at;
  const from = (page - 1) * PAGE_SIZE;
  const link = (to: number, name: 'previous' | 'more', isThere: boolean) =>
    isThere ? (
      <a class="button small" href={addressOf({ kind: 'coupons', ...at, page: to })}>
        {say(name)}
      </a>
    ) : null;
  if (total === 0) return null;
  return (
    <div class="row pages" role="group" aria-label={say('pages')}>
      <span class="hint number">
        {say('shown', { from: Math.min(from + 1, total), to: Math.min(from + PAGE_SIZE, total), total })}
      </span>
      {link(page - 1, 'previous', page > 1)}
      {link(page + 1, 'more', from + PAGE_SIZE < total)}
    </div>
  );
}
