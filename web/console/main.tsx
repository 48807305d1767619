// main.tsx -- Entry of `/console`: the frame, and in it the place where the reader is.

import { effect } from '@preact/signals';
import { type ComponentChildren, render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { LanguageChoice } from '../shared/language-choice.tsx';
import { language } from '../shared/language.ts';
import { CreateCoupon, DuplicateCoupon, EditCoupon } from './coupons/coupon-form.tsx';
import { CouponIssues } from './issues/coupon-issues.tsx';
import { CouponList } from './coupons/coupon-list.tsx';
import { DeadLetters } from './letters/dead-letters.tsx';
import { MenuBadge } from './letters/menu-badge.tsx';
import { addressOf, type Place, place } from './place.ts';
import { forgetNews, news, say } from './say.ts';
import { mayChange, session, signOut } from './session.ts';
import { SignIn } from './sign-in.tsx';
import { ZoneChoice } from './time/zone-choice.tsx';
import { FindUser } from './users/find-user.tsx';
import { Watch } from './watch/watch.tsx';
import { OneWebhook } from './webhooks/one-webhook.tsx';
import { Webhooks } from './webhooks/webhooks.tsx';

/** Places that are no coupons. */
const besides: readonly Place['kind'][] = ['dead letters', 'users', 'webhooks', 'webhook'];

effect(() => {
  document.documentElement.lang = language.value;
});

const app = document.getElementById('app');
if (app === null) throw new Error('the page has no place for the console');
render(<Console />, app);

/** A tab is found by what its page is about. */
function showTitle(): void {
  const heading = document.querySelector('h1')?.textContent ?? '';
  const title = say('title');
  const words = heading === '' || heading === title ? title : `${heading} · ${title}`;
  if (document.title !== words) document.title = words;
}
new MutationObserver(showTitle).observe(document.body, { childList: true, characterData: true, subtree: true });

function Console() {
  // Who has just signed in is at the beginning of a page, as after a link.
  const wasSignedOut = useRef(session.value === null);
  if (session.value === null) {
    wasSignedOut.current = true;
    return <SignIn />;
  }
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        {say('skip')}
      </a>
      <Frame />
      <Content at={place.value} hasCome={wasSignedOut.current} />
      <News />
    </>
  );
}

function Frame() {
  const { kind } = place.value;
  const link = (to: Place, words: ComponentChildren, current: boolean) => (
    <a href={addressOf(to)} aria-current={current ? 'page' : undefined}>
      {words}
    </a>
  );
  return (
    <header class="frame">
      <nav aria-label={say('title')}>
        {link({ kind: 'coupons' }, say('coupons'), !besides.includes(kind))}
        {link({ kind: 'users' }, say('findUser'), kind === 'users')}
        {mayChange.value &&
          link(
            { kind: 'dead letters' },
            <>
              {say('deadLetters')}
              <MenuBadge />
            </>,
            kind === 'dead letters',
          )}
        {mayChange.value && link({ kind: 'webhooks' }, say('webhooks'), kind === 'webhooks' || kind === 'webhook')}
      </nav>
      <div class="row tight">
        {!mayChange.value && <span class="badge">{say('readOnly')}</span>}
        <ZoneChoice />
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

function Content({ at, hasCome }: { readonly at: Place; readonly hasCome: boolean }) {
  const main = useRef<HTMLElement>(null);
  const first = useRef(!hasCome);
  // The list stays while another part of it is shown, with the focus where it is.
  const address = at.kind === 'coupons' ? '#/' : addressOf(at);
  useEffect(() => {
    // A new place is a new page: its beginning is where the reader is, with eyes or ears.
    if (!first.current) main.current?.focus();
    first.current = false;
    forgetNews();
    scrollTo(0, 0);
  }, [address]);
  return (
    <main id="content" ref={main} tabIndex={-1} key={address}>
      {mayChange.value || ['coupons', 'watch', 'issues', 'users'].includes(at.kind) ? viewOf(at) : <LookOnly />}
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
      return <CouponList at={at} />;
    case 'new':
      return <CreateCoupon />;
    case 'dead letters':
      return <DeadLetters />;
    case 'users':
      return <FindUser />;
    case 'webhooks':
      return <Webhooks />;
    case 'webhook':
      return <OneWebhook id={at.id} />;
    case 'watch':
      return <Watch key={at.id} id={at.id} />;
    case 'issues':
      return <CouponIssues key={at.id} id={at.id} />;
    case 'duplicate':
      return <DuplicateCoupon key={at.id} id={at.id} />;
    case 'edit':
      return <EditCoupon key={at.id} id={at.id} />;
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
