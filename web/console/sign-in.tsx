// sign-in.tsx -- Asks for the admin key, once a tab.

import { useState } from 'preact/hooks';
import { ApiFault } from '../shared/http.ts';
import { LanguageChoice } from '../shared/language-choice.tsx';
import { say, wordsOf } from './say.ts';
import { signIn } from './session.ts';

export function SignIn() {
  const [given, setGiven] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    signIn(given.trim())
      .catch((error: unknown) => {
        setFault(error instanceof ApiFault && error.status === 401 ? say('keyWrong') : wordsOf(error));
      })
      .finally(() => setBusy(false));
  };
  return (
    <main class="sign-in" id="content">
      <form class="card" onSubmit={submit}>
        <h1>{say('title')}</h1>
        <p class="hint">{say('signInWords')}</p>
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
