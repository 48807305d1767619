// language.ts -- Which language the reader wants: what was chosen before, else what the browser asks for, else English.

import { signal } from '@preact/signals';
import { readStored, store } from './storage.ts';
import { inZone, timeZone } from './time-zone.ts';

export const languages = { en: 'English', ko: '한국어' } as const;
export type Language = keyof typeof languages;

const STORED = 'language';

/** The current language. Components that read it are drawn again when it changes. */
export const language = signal<Language>(firstLanguage());

/** Takes effect immediately, and is remembered on this device. */
export function chooseLanguage(chosen: Language): void {
  language.value = chosen;
  store('localStorage', STORED, chosen);
}

function firstLanguage(): Language {
  const wanted = [readStored('localStorage', STORED) ?? '', ...navigator.languages];
  for (const tag of wanted) {
    const found = tag.slice(0, 2).toLowerCase();
    if (found === 'en' || found === 'ko') return found;
  }
  return 'en';
}

/** Puts values in the place of their names in braces. */
export function fill(text: string, values: Readonly<Record<string, string | number>> = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === 'number' ? wholeNumber(value) : value;
  });
}

/** A number with the separators of the language. */
export function wholeNumber(value: number): string {
  return value.toLocaleString(language.value, { maximumFractionDigits: 0 });
}

/** An amount as people write it: 10,000원, $10; `amount` is in the smallest unit of the currency. */
export function money(amount: number, currency: string): string {
  if (language.value === 'ko' && currency === 'KRW') return `${wholeNumber(amount)}원`;
  const options = { style: 'currency', currency } as const;
  const format = new Intl.NumberFormat(language.value, options);
  const whole = amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 0);
  if (!Number.isInteger(whole)) return format.format(whole);
  return new Intl.NumberFormat(language.value, { ...options, maximumFractionDigits: 0 }).format(whole);
}

/** A part from 0 to 1. */
export function percent(part: number): string {
  return part.toLocaleString(language.value, { style: 'percent', maximumFractionDigits: 0 });
}

/** An instant in the reader's own time zone; in the one that was chosen, with its name. */
export function instant(iso: string): string {
  const date = { year: 'numeric', month: monthStyle(), day: 'numeric' } as const;
  const named = { ...date, hour: '2-digit', minute: '2-digit', timeZoneName: 'short' } as const;
  const options = timeZone.value === null ? ({ dateStyle: 'medium', timeStyle: 'short' } as const) : named;
  return new Date(iso).toLocaleString(language.value, inZone(options));
}

/** Korean with the month in letters is too long for a column: 2026년 11월 28일. */
const monthStyle = () => (language.value === 'ko' ? 'numeric' : 'short');

/** The same to the millisecond, to be compared with what somebody says and with logs. */
export function exactInstant(iso: string): string {
  const date = { year: 'numeric', month: monthStyle(), day: 'numeric' } as const;
  const time = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 } as const;
  const name = timeZone.value === null ? {} : ({ timeZoneName: 'short' } as const);
  return new Date(iso).toLocaleString(language.value, inZone({ ...date, ...time, ...name }));
}
