// say.ts -- What the console says: texts in the language in force, and news that screen readers hear wherever the reader is.

import { signal } from '@preact/signals';
import { ApiFault } from './http.ts';
import { fill, language } from '../shared/language.ts';
import { consoleTexts, type TextName } from './texts.ts';

/** A text with its values filled in. */
export function say(name: TextName, values?: Readonly<Record<string, string | number>>): string {
  return fill(consoleTexts[language.value][name], values);
}

/** The newest news; drawn in a live region. */
export const news = signal<{ readonly text: string; readonly bad: boolean } | null>(null);

export function tell(text: string): void {
  news.value = { text, bad: false };
}

/** Tells what went wrong, in words for people. Anything but a fault of the API is a bug of ours, and thrown on. */
export function tellFault(fault: unknown): void {
  news.value = { text: wordsOf(fault), bad: true };
}

export function wordsOf(fault: unknown): string {
  if (!(fault instanceof ApiFault)) throw fault;
  return fault.code === 'UNREACHABLE' ? say('UNREACHABLE') : say('failed', { detail: fault.message });
}
