// language-choice.tsx -- Lets the reader choose the language, each named in its own words.

import { chooseLanguage, language, languages, type Language } from './language.ts';

export function LanguageChoice({ label }: { readonly label: string }) {
  return (
    <select
      class="quiet"
      aria-label={label}
      value={language.value}
      onChange={({ currentTarget }) => chooseLanguage(currentTarget.value as Language)}
    >
      {Object.entries(languages).map(([code, name]) => (
        <option key={code} value={code} lang={code}>
          {name}
        </option>
      ))}
    </select>
  );
}
