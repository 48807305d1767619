// main.tsx -- Entry of `/console`: the frame, and in it the place where the reader is.

import { effect } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { LanguageChoice } from '../shared/language-choice.tsx';
import { language } from '../shared/language.ts';
import { CreateCoupon, EditCoupon } from './coupons/coupon-form.tsx';
import { CouponList } from './coupons/coupon-list.tsx';
import { DeadLetters } from './dead-letters.tsx';
import { addressOf, type Place, place } from './place.ts';
import { news, say } from './say.ts';
import { mayChange, session, signOut } from './session.ts';
import { SignIn } from './sign-in.tsx';
import { FindUser } from './users/find-user.tsx';
import { Watch } from './watch.tsx';

effect(() => {
  document.documentElement.lang = language.value;
  document.title = say('title');
});

const app = document.getElementById('app');
if (app === null) throw new Error('the page has no place for the console');
render(<Console />, app);

function Console() {
  if (session.value === null) return <SignIn />;
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        {say('skip')}
      </a>
      <Frame />
      <Content at={place.value} />
      <News />
    </>
  );
}

function Frame() {
  const { kind } = place.value;
  const link = (to: Place, words: string, current: boolean) => (
    <a href={addressOf(to)} aria-current={current ? 'page' : undefined}>
      {words}
    </a>
  );
  return (
    <header class="frame">
      <nav aria-label={say('title')}>
        {link({ kind: 'coupons', after: 0 }, say('coupons'), kind !== 'dead letters' && kind !== 'users')}
        {link({ kind: 'users' }, say('findUser'), kind === 'users')}
        {mayChange.value && link({ kind: 'dead letters' }, say('deadLetters'), kind === 'dead letters')}
      </nav>
      <div class="row tight">
        {!mayChange.value && <span class="badge">{say('readOnly')}</span>}
        <LanguageChoice label={say('language')} />
        <button type="button" class="plain" onClick={signOut}>
          {say('signOut')}
        </button>
      </div>
    </header>
  );
}

/** The address after `#` is the place, so a link to an element would leave it. */
function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

function Content({ at }: { readonly at: Place }) {
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const address = addressOf(at);
  useEffect(() => {
    // A new place is a new page: its beginning is where the reader is, with eyes or ears.
    if (!first.current) main.current?.focus();
    first.current = false;
    scrollTo(0, 0);
  }, [address]);
  return (
    <main id="content" ref={main} tabIndex={-1} key={address}>
      {mayChange.value || ['coupons', 'watch', 'users'].includes(at.kind) ? viewOf(at) : <LookOnly />}
    </main>
  );
}

/** Where a link led that was made by somebody who may more. */
function LookOnly() {
  return (
    <>
      <h1 tabIndex={-1}>{say('readOnly')}</h1>
      <p class="card">{say('readOnlyWords')}</p>
    </>
  );
}

function viewOf(at: Place) {
  switch (at.kind) {
    case 'coupons':
      return <CouponList after={at.after} />;
    case 'new':
      return <CreateCoupon />;
    case 'dead letters':
      return <DeadLetters />;
    case 'users':
      return <FindUser />;
    case 'watch':
      return <Watch id={at.id} />;
    case 'edit':
      return <EditCoupon id={at.id} />;
  }
}

const NEWS_MS = 6000;

function News() {
  const newest = news.value;
  useEffect(() => {
    const timer = setTimeout(() => {
      news.value = null;
    }, NEWS_MS);
    return () => clearTimeout(timer);
  }, [newest]);
  return (
    <div class="news" role="status" aria-live="polite">
      {newest && <p class={newest.bad ? 'bad' : ''}>{newest.text}</p>}
    </div>
  );
}
