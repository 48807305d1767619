// place.ts -- Where the reader is, in the part of the address after `#`, so that pages can be linked to, and back goes back.

import { signal } from '@preact/signals';

export type Place =
  | { readonly kind: 'coupons'; readonly after: number }
  | { readonly kind: 'new' | 'dead letters' | 'users' }
  | { readonly kind: 'watch' | 'edit'; readonly id: number };

/** The current place. */
export const place = signal<Place>(readPlace(location.hash));

addEventListener('hashchange', () => {
  place.value = readPlace(location.hash);
});

/** The address of a place, for a link. */
export function addressOf(to: Place): string {
  switch (to.kind) {
    case 'coupons':
      return to.after === 0 ? '#/' : `#/after/${to.after}`;
    case 'new':
      return '#/new';
    case 'dead letters':
      return '#/dead-letters';
    case 'users':
      return '#/users';
    case 'watch':
      return `#/coupons/${to.id}`;
    case 'edit':
      return `#/coupons/${to.id}/edit`;
  }
}

export function go(to: Place): void {
  location.hash = addressOf(to);
}

function readPlace(hash: string): Place {
  const [, id, verb] = /^#\/coupons\/([1-9]\d{0,15})(\/edit)?$/.exec(hash) ?? [];
  if (id !== undefined) return { kind: verb === undefined ? 'watch' : 'edit', id: Number(id) };
  if (hash === '#/new') return { kind: 'new' };
  if (hash === '#/dead-letters') return { kind: 'dead letters' };
  if (hash === '#/users') return { kind: 'users' };
  return { kind: 'coupons', after: Number(/^#\/after\/(\d{1,15})$/.exec(hash)?.[1] ?? 0) };
}
