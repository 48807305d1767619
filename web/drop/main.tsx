// main.tsx -- Entry of `/drop/:couponId`: a countdown by the server's clock, one button, and what became of it.

import { effect, signal } from '@preact/signals';
import { render } from 'preact';
import { type ServerClock, clockSetBy, splitDuration } from '../shared/clock.ts';
import { follow, type Progress } from '../shared/events.ts';
import { ApiFault, ask } from '../shared/http.ts';
import { LanguageChoice } from '../shared/language-choice.tsx';
import { fill, instant, language } from '../shared/language.ts';
import { type Claim, claim } from './claim.ts';
import { readIdentity } from './identity.ts';
import { dropTexts, type TextName } from './texts.ts';

/** What the API tells of a coupon; see `GET /v1/drops/:id`. */
interface Drop {
  readonly couponId: number;
  readonly title: string;
  readonly totalQuantity: number | null;
  readonly discountAmount: number;
  readonly minAvailableAmount: number;
  readonly dateIssueStart: string;
  readonly dateIssueEnd: string;
  readonly paused: boolean;
  readonly version: number;
  readonly now: string;
}

const couponId = Number(/\/(\d{1,16})$/.exec(location.pathname)?.[1] ?? 0);
const { userId, token } = readIdentity();

const drop = signal<Drop | null>(null);
const missing = signal<'noCoupon' | 'unreachable' | null>(null);
const clock = signal<ServerClock | null>(null);
const nowMs = signal(0);
const progress = signal<Progress | null>(null);
const asking = signal<'no' | 'asking' | 'again'>('no');
const ending = signal<Claim | null>(null);

effect(() => {
  document.documentElement.lang = language.value;
  if (drop.value) document.title = drop.value.title;
});

const app = document.getElementById('app');
if (app === null) throw new Error('the page has no place for the drop');
render(<Page />, app);
void load();

const LOAD_AGAIN_MS = 2000;

async function load(): Promise<void> {
  const askedMs = performance.now();
  try {
    const { body } = await ask<Drop>(`/v1/drops/${couponId}`, { key: token });
    clock.value = clockSetBy(Date.parse(body.now), askedMs, performance.now());
    drop.value = body;
    missing.value = null;
    tick();
    if (progress.value === null) follow(couponId, token, { onProgress: take, onConnected: () => {} });
    catchUp();
  } catch (fault) {
    if (!(fault instanceof ApiFault)) throw fault;
    const isKnown = fault.status >= 400 && fault.status < 500 && fault.status !== 429;
    missing.value = isKnown ? 'noCoupon' : 'unreachable';
    if (!isKnown) setTimeout(() => void load(), LOAD_AGAIN_MS);
  }
}

function take(seen: Progress): void {
  progress.value = seen;
  catchUp();
}

/** A newer version is an edit: title and period may be other ones now. The server may answer with the old one for a second. */
function catchUp(): void {
  if (!drop.value || !progress.value || progress.value.version <= drop.value.version) return;
  clearTimeout(catchingUp);
  catchingUp = setTimeout(() => void load(), CATCH_UP_MS);
}
const CATCH_UP_MS = 1000;
let catchingUp: ReturnType<typeof setTimeout> | undefined;

/** Draws at the next whole second of the server, so that the countdown ends when the drop begins. */
function tick(): void {
  if (!clock.value) return;
  nowMs.value = clock.value.nowMs();
  clearTimeout(timer);
  timer = setTimeout(tick, 1000 - (nowMs.value % 1000) + 5);
}
let timer: ReturnType<typeof setTimeout> | undefined;

async function get(): Promise<void> {
  asking.value = 'asking';
  ending.value = await claim({
    issue: async () => {
      const answer = await ask<{ sequence: number }>('/v2/issue-async', {
        method: 'POST',
        body: { couponId, userId },
        key: token,
      });
      return answer.body.sequence;
    },
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    random: Math.random,
    onAgain: () => {
      asking.value = 'again';
    },
  });
  asking.value = 'no';
}

function say(name: TextName, values?: Readonly<Record<string, string | number>>): string {
  return fill(dropTexts[language.value][name], values);
}

function Page() {
  return (
    <>
      <main>
        {drop.value ? <Ticket coupon={drop.value} /> : <p role="status">{say(missing.value ?? 'loading')}</p>}
      </main>
      <footer>
        <span class="hint">{say('you', { user: userId })}</span>
        <LanguageChoice label={say('language')} />
      </footer>
    </>
  );
}

function Ticket({ coupon }: { readonly coupon: Drop }) {
  const { title, discountAmount, minAvailableAmount, dateIssueEnd } = coupon;
  return (
    <article class="card ticket">
      <header>
        <p class="amount number">{say('discount', { amount: discountAmount })}</p>
        <h1>{title}</h1>
        {minAvailableAmount > 0 && <p class="hint">{say('minimum', { amount: minAvailableAmount })}</p>}
      </header>
      <div class="tear" />
      <Middle coupon={coupon} />
      <p class="hint">{say('until', { end: instant(dateIssueEnd) })}</p>
    </article>
  );
}

function Middle({ coupon }: { readonly coupon: Drop }) {
  const got = ending.value;
  const owned = got && 'sequence' in got ? got : null;
  return (
    <>
      <div class="result" role="status" aria-live="polite">
        <Result coupon={coupon} />
      </div>
      {!owned && <Offer coupon={coupon} />}
    </>
  );
}

/** What is said aloud: the ending, or why there is nothing to be had now. */
function Result({ coupon }: { readonly coupon: Drop }) {
  const got = ending.value;
  if (got && 'sequence' in got) {
    return (
      <>
        <p class="seal number">{got.sequence.toLocaleString(language.value)}</p>
        <p class="strong">{say('won')}</p>
        <p class="hint">{say(got.kind === 'won' ? 'wonWords' : 'hadWords', { sequence: got.sequence })}</p>
      </>
    );
  }
  if (asking.value === 'again') return <p>{say('stillAsking')}</p>;
  const state = stateOf(coupon);
  if (got?.kind === 'sold out' || state === 'sold out') {
    return <Words head={say('soldOut')} words={say(got?.kind === 'sold out' ? 'soldOutForYou' : 'soldOutWords')} />;
  }
  if (state === 'ended') {
    return <Words head={say('ended')} words={say('endedWords', { end: instant(coupon.dateIssueEnd) })} />;
  }
  if (state === 'paused') return <Words head={say('paused')} words={say('pausedWords')} />;
  if (got?.kind === 'unknown') return <p>{say('unknownWords')}</p>;
  return got?.kind === 'refused' ? <p>{say('refusedWords', { detail: got.detail })}</p> : null;
}

function Words({ head, words }: { readonly head: string; readonly words: string }) {
  return (
    <>
      <p class="strong">{head}</p>
      <p class="hint">{words}</p>
    </>
  );
}

type State = 'before' | 'open' | 'paused' | 'sold out' | 'ended';

function stateOf({ dateIssueStart, dateIssueEnd, paused }: Drop): State {
  if (nowMs.value >= Date.parse(dateIssueEnd)) return 'ended';
  if (progress.value?.paused ?? paused) return 'paused';
  if (nowMs.value < Date.parse(dateIssueStart)) return 'before';
  return progress.value?.left === 0 ? 'sold out' : 'open';
}

function Offer({ coupon }: { readonly coupon: Drop }) {
  const state = stateOf(coupon);
  if (state === 'ended' || state === 'sold out' || ending.value?.kind === 'sold out') return null;
  return (
    <>
      {state === 'before' ? (
        <Countdown ms={Date.parse(coupon.dateIssueStart) - nowMs.value} />
      ) : (
        <Left total={coupon.totalQuantity} left={progress.value?.left ?? null} />
      )}
      <button
        type="button"
        class="primary get"
        disabled={state !== 'open' || asking.value !== 'no'}
        onClick={() => void get()}
      >
        {say(asking.value !== 'no' ? 'asking' : state === 'before' ? 'notYet' : 'get')}
      </button>
    </>
  );
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

function Left({ total, left }: { readonly total: number | null; readonly left: number | null }) {
  if (total === null) return <p class="hint">{say('noLimit')}</p>;
  return (
    <div class="left">
      <p class="number">{left === null ? ' ' : say('left', { left, total })}</p>
      <progress
        class="bar"
        value={left ?? total}
        max={total}
        aria-label={say('left', { left: left ?? total, total })}
      />
    </div>
  );
}
