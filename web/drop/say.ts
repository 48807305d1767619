// say.ts -- The words of the drop page in the reader's language.

import { fill, language } from '../shared/language.ts';
import { dropTexts, type TextName } from './texts.ts';

export function say(name: TextName, values?: Readonly<Record<string, string | number>>): string {
  return fill(dropTexts[language.value][name], values);
}
