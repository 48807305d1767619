// main.tsx -- Entry of `/drop/:couponId`: a countdown by the server's clock, one button, and its result.
//
// It runs in browsers from 2021 on: see docs/pages.md. What fails here is said on the page, and nothing that it had is taken away before.

import { effect } from '@preact/signals';
import { render } from 'preact';
import { LanguageChoice } from '../shared/language-choice.tsx';
import { language } from '../shared/language.ts';
import { become, identity, offered, startAsking } from './asking.ts';
import { drop, isMissing, start } from './live.ts';
import { app } from './page-data.ts';
import { say } from './say.ts';
import { Nothing, Ticket } from './ticket.tsx';
import type { Identity } from './identity.ts';

effect(() => {
  document.documentElement.lang = language.value;
  if (drop.value) document.title = drop.value.title;
  else if (isMissing.value) document.title = say('noCoupon');
});

addEventListener('error', fail);
start();
// What the server drew has shown something until now.
app.replaceChildren();
render(<Page />, app);
startAsking();

/** An error that nobody expected: a page that does nothing must say so. Nothing is lost by loading it again. */
function fail(event: ErrorEvent): void {
  // That of a script of the browser's, or of an extension.
  if (event.filename !== '' && !event.filename.startsWith(location.origin)) return;
  const words = document.createElement('p');
  words.className = 'notice bad failed';
  words.setAttribute('role', 'alert');
  words.textContent = say('failed');
  document.querySelector('.failed')?.remove();
  document.body.prepend(words);
}

function Page() {
  return (
    <>
      <main>
        {offered.value ? <Who other={offered.value} /> : drop.value ? <Ticket coupon={drop.value} /> : <Nothing />}
      </main>
      <footer>
        <span class="hint">{say('you', { user: identity.value.userId })}</span>
        <LanguageChoice label={say('language')} />
      </footer>
    </>
  );
}

/** Asked before anything else: the sender of the link may want a coupon to go to another account. */
function Who({ other }: { readonly other: Identity }) {
  const names = { user: identity.value.userId, other: other.userId };
  return (
    <section class="card who" aria-labelledby="who">
      <h1 id="who">{say('otherUser')}</h1>
      <p>{say('otherUserWords', names)}</p>
      <button type="button" class="primary" onClick={() => become(identity.value)}>
        {say('stay', names)}
      </button>
      <button type="button" onClick={() => become(other)}>
        {say('goOnAs', names)}
      </button>
    </section>
  );
}
