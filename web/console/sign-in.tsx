// sign-in.tsx -- Asks for an API key, once a tab, and says what is wrong with one that is not accepted.

import { useState } from 'preact/hooks';
import { LanguageChoice } from '../shared/language-choice.tsx';
import { failureText, say } from './say.ts';
import { type SignedIn, signIn, wasEnded } from './session.ts';

export function SignIn() {
  const [given, setGiven] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    setFault(null);
    setFault(faultOf(await signIn(given.trim())));
    setBusy(false);
  };
  return (
    <main class="sign-in" id="content">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <h1>{say('title')}</h1>
        <p class="hint">{say('signInWords')}</p>
        {wasEnded.value && (
          <p class="notice bad" role="alert">
            {say('keyEnded')}
          </p>
        )}
        <div class="field">
          <label for="key">{say('key')}</label>
          <input
            id="key"
            type="password"
            autocomplete="current-password"
            required
            value={given}
            aria-describedby="key-hint key-fault"
            aria-invalid={fault !== null}
            onInput={({ currentTarget }) => setGiven(currentTarget.value)}
          />
          <span id="key-hint" class="hint">
            {say('keyHint')}
          </span>
          <span id="key-fault" class="fault" role="alert">
            {fault}
          </span>
        </div>
        <button class="primary" type="submit" disabled={busy}>
          {say('signIn')}
        </button>
      </form>
      <LanguageChoice label={say('language')} />
    </main>
  );
}

function faultOf(result: SignedIn): string | null {
  switch (result.kind) {
    case 'signed in':
      return null;
    case 'wrong':
      return say('keyWrong');
    case 'too small':
      return say('keyTooSmall');
    case 'refused':
    case 'ambiguous':
      return failureText(result);
  }
}
