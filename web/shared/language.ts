// language.ts -- Which language the reader wants: what was chosen before, else what the browser asks for, else English.

import { signal } from '@preact/signals';

export const languages = { en: 'English', ko: '한국어' } as const;
export type Language = keyof typeof languages;

const STORED = 'language';

/** The current language. Components that read it are drawn again when it changes. */
export const language = signal<Language>(firstLanguage());

/** Takes effect immediately, and is remembered on this device. */
export function chooseLanguage(chosen: Language): void {
  language.value = chosen;
  localStorage.setItem(STORED, chosen);
}

function firstLanguage(): Language {
  const wanted = [localStorage.getItem(STORED) ?? '', ...navigator.languages];
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

/** An instant in the reader's own time zone. */
export function instant(iso: string): string {
  return new Date(iso).toLocaleString(language.value, { dateStyle: 'medium', timeStyle: 'short' });
}

/** The same to the millisecond, to be compared with what somebody says and with logs. */
export function exactInstant(iso: string): string {
  const date = { year: 'numeric', month: 'short', day: 'numeric' } as const;
  const time = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 } as const;
  return new Date(iso).toLocaleString(language.value, { ...date, ...time });
}
