// ticket.tsx -- The ticket: what the coupon is, how it stands, one button, and the terms. Each has its place, which nothing moves.

import type { Drop } from '../../client/coupon-client.ts';
import { splitDuration } from '../shared/clock.ts';
import { instant, language, money } from '../shared/language.ts';
import { get, issue, result, sending } from './asking.ts';
import { Facts } from './facts.tsx';
import { failures, isMissing, isOnline, nowMs, state, stock } from './live.ts';
import { couponId, pageData } from './page-data.ts';
import { say } from './say.ts';

export function Ticket({ coupon }: { readonly coupon: Drop }) {
  return (
    <article class="card ticket">
      <Picture />
      <header>
        <Brand />
        <p class="amount number">{say('discount', { amount: money(coupon.discountAmount, coupon.currency) })}</p>
        <h1>{coupon.title}</h1>
      </header>
      <div class="tear" />
      <div class="stage">
        <div class="result" role="status" aria-live="polite">
          <Result coupon={coupon} />
        </div>
        <Offer coupon={coupon} />
      </div>
      <div class="action">
        <Action />
      </div>
      <div class="note hint" aria-live="polite">
        <Note />
      </div>
      <Facts coupon={coupon} issue={issue.value} />
    </article>
  );
}

/** Before there is a coupon to be shown, and where there is none. */
export function Nothing() {
  const network = trouble();
  return (
    <article class="card ticket">
      <Picture />
      <header>
        <Brand />
        <h1>{isMissing.value ? say('noCoupon') : say('loading')}</h1>
      </header>
      <div class="tear" />
      <div class="stage">
        <div class="result" role="status">
          {isMissing.value ? <p>{say('noCouponWords')}</p> : network !== null && <p>{network}</p>}
        </div>
      </div>
      <div class="action">{isMissing.value && <More />}</div>
    </article>
  );
}

function Picture() {
  const { picture } = pageData;
  return picture === undefined ? null : <img class="picture" src={picture} alt="" width="440" height="248" />;
}

function Brand() {
  const { brand, logo } = pageData;
  if (logo === undefined) return brand === undefined ? null : <p class="brand">{brand}</p>;
  return (
    <p class="brand">
      <img src={logo} alt={brand ?? ''} height="32" />
    </p>
  );
}

/** What a screen reader reads out: the result, or why nothing can be issued now. */
function Result({ coupon }: { readonly coupon: Drop }) {
  const got = result.value;
  if (got && 'sequence' in got) {
    return (
      <>
        <p class="seal number">{got.sequence.toLocaleString(language.value)}</p>
        <p class="strong">{say('won')}</p>
        <p class="hint">{ownedWords(got.kind, got.sequence)}</p>
      </>
    );
  }
  // Comes first: a coupon that has ended may still be theirs.
  if (got?.kind === 'ambiguous') return null;
  if (got?.kind === 'sold out' || state.value === 'sold out') {
    return <Words head={say('soldOut')} words={say(got?.kind === 'sold out' ? 'soldOutForYou' : 'soldOutWords')} />;
  }
  if (state.value === 'ended') {
    return <Words head={say('ended')} words={say('endedWords', { end: instant(coupon.dateIssueEnd) })} />;
  }
  return state.value === 'paused' ? <Words head={say('paused')} words={say('pausedWords')} /> : null;
}

function ownedWords(kind: 'issued' | 'already issued', sequence: number): string {
  const { status, dateUsed = null, usableUntil = null } = issue.value ?? {};
  if (status === 'USED' && dateUsed !== null) return say('usedWords', { date: instant(dateUsed) });
  if (status === 'EXPIRED' && usableUntil !== null) return say('expiredWords', { date: instant(usableUntil) });
  return say(kind === 'issued' ? 'wonWords' : 'hadWords', { sequence });
}

function Words({ head, words }: { readonly head: string; readonly words: string }) {
  return (
    <>
      <p class="strong">{head}</p>
      <p class="hint">{words}</p>
    </>
  );
}

/** When it starts, or how many are left. */
function Offer({ coupon }: { readonly coupon: Drop }) {
  const got = result.value;
  if (got && ('sequence' in got || got.kind === 'sold out')) return null;
  if (state.value === 'before') return <Countdown ms={Date.parse(coupon.dateIssueStart) - nowMs.value} />;
  if (state.value !== 'open' && got?.kind !== 'ambiguous') return null;
  const known = stock.value;
  return <Left total={known ? known.totalQuantity : coupon.totalQuantity} left={known?.left ?? null} />;
}

function Action() {
  const got = result.value;
  if (got && 'sequence' in got) {
    const { next } = pageData;
    return next === undefined ? (
      <p class="get done">{say('yours')}</p>
    ) : (
      <a class="button primary get" href={next} target="_top">
        {say('next')}
      </a>
    );
  }
  const busy = sending.value !== 'no';
  const again = got?.kind === 'ambiguous';
  const isOver = state.value === 'ended' || state.value === 'sold out' || got?.kind === 'sold out';
  if (isOver && !again && !busy) return <More />;
  const label = busy ? 'asking' : again ? 'askAgain' : state.value === 'before' ? 'notYet' : 'get';
  return (
    <button
      type="button"
      class="primary get"
      disabled={busy || (!again && state.value !== 'open')}
      onClick={() => void get()}
    >
      <span key={label}>{say(label)}</span>
    </button>
  );
}

/** What else there is, where the shop has said so. */
function More() {
  const { more } = pageData;
  if (more === undefined) return null;
  return (
    <a class="button get" href={more} target="_top">
      {say('more')}
    </a>
  );
}

/** One line below the button: what hinders, what became of the press, or what can be done meanwhile. */
function Note() {
  const got = result.value;
  const network = trouble();
  if (network !== null) return <p>{network}</p>;
  if (sending.value === 'retry') return <p>{say('stillAsking')}</p>;
  if (got?.kind === 'ambiguous') return <p>{say('ambiguousWords')}</p>;
  if (got?.kind === 'not open' && state.value === 'open') return <p>{say('notOpenWords')}</p>;
  if (got?.kind === 'not exist') return <p>{say('noCoupon')}</p>;
  if (got?.kind === 'refused') {
    const { code } = got.problem;
    if (code === 'UNAUTHENTICATED') return <p>{say('signInFirst')}</p>;
    return <p>{code === 'TOO_MANY_REQUESTS' ? say('tooMany') : say('refusedWords', { code })}</p>;
  }
  if (state.value !== 'before') return null;
  return (
    <a href={`/drop/${couponId}/start.ics`} download>
      {say('remind')}
    </a>
  );
}

/** Why nothing comes; null while something does. One read that fails is none of the reader's business. */
function trouble(): string | null {
  if (!isOnline.value) return say('offline');
  return failures.value > 1 ? say('unreachable') : null;
}

function Countdown({ ms }: { readonly ms: number }) {
  const parts = splitDuration(ms);
  const shown = (['days', 'hours', 'minutes', 'seconds'] as const).filter((name) => name !== 'days' || parts.days > 0);
  return (
    <div role="timer" aria-label={say('startsIn')}>
      <p class="hint">{say('startsIn')}</p>
      <p class="countdown number">
        {shown.map((name) => (
          <span key={name}>
            <b>{String(parts[name]).padStart(2, '0')}</b>
            <small>{say(name)}</small>
          </span>
        ))}
      </p>
    </div>
  );
}

/** Of what is not known nothing is drawn: a full bar would be a promise. */
function Left({ total, left }: { readonly total: number | null; readonly left: number | null }) {
  if (total === null) return <p class="hint">{say('noLimit')}</p>;
  if (left === null) return <p class="number">{say('total', { total })}</p>;
  const words = say('left', { left, total });
  return (
    <div class="left">
      {/* A text that is another one is a new one: else its beginning would move. */}
      <p class="number" key={words}>
        {words}
      </p>
      <progress class="bar" value={left} max={total} aria-label={words} />
    </div>
  );
}
