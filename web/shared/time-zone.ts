// time-zone.ts -- The time zone in which a page shows instants, where its reader has chosen one.

import { signal } from '@preact/signals';

/** By the name of the IANA; null: that of the browser, which is then not named beside each instant. */
export const timeZone = signal<string | null>(null);

/** Options of `Intl` that show an instant in this zone. */
export function inZone(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormatOptions {
  return timeZone.value === null ? options : { ...options, timeZone: timeZone.value };
}
