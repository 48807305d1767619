// place.ts -- Where the reader is, in the part of the address after `#`, so that pages can be linked to, and back goes back.

import { signal } from '@preact/signals';

/** Which coupons are listed; what is not named is as at first. */
export interface CouponsAt {
  /** From 1. */
  readonly page?: number;
  readonly order?: string;
  readonly state?: string;
  readonly search?: string;
}

export type Place =
  | (CouponsAt & { readonly kind: 'coupons' })
  | { readonly kind: 'new' | 'dead letters' | 'users' | 'webhooks' }
  | { readonly kind: 'webhook'; readonly id: number }
  | { readonly kind: 'watch' | 'edit' | 'issues' | 'duplicate'; readonly id: number };

/** The current place. */
export const place = signal<Place>(readPlace(location.hash));

let current = location.hash;
let before: string | null = null;

addEventListener('hashchange', () => {
  before = current;
  current = location.hash;
  place.value = readPlace(current);
});

/** Where the reader came from, for who gives up; null where this page was opened first. */
export function addressBefore(): string | null {
  return before;
}

/** The address of a place, for a link. */
export function addressOf(to: Place): string {
  switch (to.kind) {
    case 'coupons':
      return couponsAddress(to);
    case 'new':
      return '#/new';
    case 'dead letters':
      return '#/dead-letters';
    case 'users':
      return '#/users';
    case 'webhooks':
      return '#/webhooks';
    case 'webhook':
      return `#/webhooks/${to.id}`;
    case 'watch':
      return `#/coupons/${to.id}`;
    case 'edit':
    case 'issues':
    case 'duplicate':
      return `#/coupons/${to.id}/${to.kind}`;
  }
}

export function go(to: Place): void {
  location.hash = addressOf(to);
}

function couponsAddress({ page = 1, order = '', state = '', search = '' }: CouponsAt): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ page: page === 1 ? '' : String(page), order, state, search }))
    if (value !== '') query.set(name, value);
  return query.size > 0 ? `#/?${query.toString()}` : '#/';
}

function readPlace(hash: string): Place {
  const [, id, view = 'watch'] = /^#\/coupons\/([1-9]\d{0,15})(?:\/(edit|issues|duplicate))?$/.exec(hash) ?? [];
  if (id !== undefined) return { kind: view as 'watch' | 'edit' | 'issues' | 'duplicate', id: Number(id) };
  if (hash === '#/new') return { kind: 'new' };
  if (hash === '#/dead-letters') return { kind: 'dead letters' };
  if (hash === '#/users') return { kind: 'users' };
  if (hash === '#/webhooks') return { kind: 'webhooks' };
  const [, webhook] = /^#\/webhooks\/([1-9]\d{0,14})$/.exec(hash) ?? [];
  if (webhook !== undefined) return { kind: 'webhook', id: Number(webhook) };
  const query = new URLSearchParams(hash.replace(/^#\/\??/, ''));
  const page = Number(/^[1-9]\d{0,4}$/.exec(query.get('page') ?? '')?.[0] ?? 1);
  const text = (name: string) => query.get(name) ?? '';
  return { kind: 'coupons', page, order: text('order'), state: text('state'), search: text('search') };
}
