// say.ts -- What the console says: texts in the current language, and news that screen readers read out wherever the reader is.

import { signal } from '@preact/signals';
import type { Ambiguous, Refused } from '../../client/coupon-client.ts';
import { fill, language } from '../shared/language.ts';
import { consoleTexts, type TextName } from './texts.ts';

/** A text with its values filled in. */
export function say(name: TextName, values?: Readonly<Record<string, string | number>>): string {
  return fill(consoleTexts[language.value][name], values);
}

/** The newest news; drawn in a live region. */
export const news = signal<{ readonly text: string; readonly bad: boolean } | null>(null);

export function announce(text: string): void {
  news.value = { text, bad: false };
}

export function announceFailure(failure: Refused | Ambiguous): void {
  news.value = { text: failureText(failure), bad: true };
}

/** Why a request was not done, for people. Without a problem there was no answer. */
export function failureText({ problem }: Refused | Ambiguous): string {
  return problem === null ? say('UNREACHABLE') : say('failed', { detail: problem.detail });
}
