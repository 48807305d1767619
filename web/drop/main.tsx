// main.tsx -- Entry of `/drop/:couponId`: a countdown by the server's clock, one button, and its result.

import { effect, signal } from '@preact/signals';
import { render } from 'preact';
import { createCouponClient, type Drop, type IssueResult, type Progress } from '../../client/coupon-client.ts';
import { type ServerClock, clockSetBy, splitDuration } from '../shared/clock.ts';
import { follow } from '../shared/follow.ts';
import { LanguageChoice } from '../shared/language-choice.tsx';
import { fill, instant, language } from '../shared/language.ts';
import { hasRequested, noteRequest } from './requested.ts';
import { type Identity, readIdentities, remember } from './identity.ts';
import { dropTexts, type TextName } from './texts.ts';

const couponId = Number(/\/(\d{1,16})$/.exec(location.pathname)?.[1] ?? 0);
const identities = readIdentities();
const identity = signal(identities.current);
const offered = signal(identities.offered);
const requestNow = () => ({ couponId, userId: identity.value.userId });
// It retries what is idempotent, and its results are confirmed.
const client = createCouponClient({ url: location.origin, token: () => identity.value.token });

const drop = signal<Drop | null>(null);
const missing = signal<'noCoupon' | 'unreachable' | null>(null);
const clock = signal<ServerClock | null>(null);
const nowMs = signal(0);
const progress = signal<Progress | null>(null);
const sending = signal<'no' | 'first attempt' | 'retry'>('no');
const result = signal<IssueResult | null>(null);

effect(() => {
  document.documentElement.lang = language.value;
  if (drop.value) document.title = drop.value.title;
});

const app = document.getElementById('app');
if (app === null) throw new Error('the page has no place for the drop');
render(<Page />, app);
void load();

async function load(): Promise<void> {
  let sentMs = performance.now();
  const read = await client.drops.read(couponId, {
    onRetry: () => {
      sentMs = performance.now();
      missing.value = 'unreachable';
    },
  });
  if (read.kind !== 'done') {
    const isKnown = read.kind === 'refused' && read.problem.status !== 429;
    missing.value = isKnown ? 'noCoupon' : 'unreachable';
    if (!isKnown) setTimeout(() => void load(), RELOAD_MS);
    return;
  }
  const isFirst = drop.value === null;
  clock.value = clockSetBy(Date.parse(read.value.now), sentMs, performance.now());
  drop.value = read.value;
  missing.value = null;
  tick();
  catchUp();
  if (!isFirst) return;
  follow(client, couponId, { onProgress: take, onConnected: () => {} });
  await recall();
}
const RELOAD_MS = 2000;

/** Shows what a returning user has, also when nothing is left. */
async function recall(): Promise<void> {
  const request = requestNow();
  if (!hasRequested(request)) return;
  const status = await client.status(request);
  if (request.userId !== identity.value.userId) return;
  if (status.kind !== 'done' || status.value.sequence === null || result.value !== null) return;
  result.value = { kind: 'already issued', sequence: status.value.sequence };
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

/** Answers the question of a link that names another user. */
function become(chosen: Identity): void {
  offered.value = null;
  if (chosen === identity.value) return;
  identity.value = remember(chosen);
  result.value = null;
  void recall();
}

async function get(): Promise<void> {
  const request = requestNow();
  const afterAmbiguous = result.value?.kind === 'ambiguous';
  sending.value = 'first attempt';
  noteRequest(request);
  result.value = await client.issue(request, {
    afterAmbiguous,
    onRetry: () => {
      sending.value = 'retry';
    },
  });
  sending.value = 'no';
  // What this page knows of the period is out of date.
  if (result.value.kind === 'not open') await load();
}

function say(name: TextName, values?: Readonly<Record<string, string | number>>): string {
  return fill(dropTexts[language.value][name], values);
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

/** Before there is a coupon to be shown, and where there is none. */
function Nothing() {
  const words = say(missing.value ?? 'loading');
  return <div role="status">{missing.value === 'noCoupon' ? <h1>{words}</h1> : <p>{words}</p>}</div>;
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
      {stateOf(coupon) !== 'ended' && <p class="hint">{say('until', { end: instant(dateIssueEnd) })}</p>}
    </article>
  );
}

function Middle({ coupon }: { readonly coupon: Drop }) {
  const got = result.value;
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

/** What a screen reader reads out: the result, or why nothing can be issued now. */
function Result({ coupon }: { readonly coupon: Drop }) {
  const got = result.value;
  if (got && 'sequence' in got) {
    return (
      <>
        <p class="seal number">{got.sequence.toLocaleString(language.value)}</p>
        <p class="strong">{say('won')}</p>
        <p class="hint">{say(got.kind === 'issued' ? 'wonWords' : 'hadWords', { sequence: got.sequence })}</p>
      </>
    );
  }
  if (sending.value === 'retry') return <p>{say('stillAsking')}</p>;
  // Comes first: a coupon that has ended may still be theirs.
  if (got?.kind === 'ambiguous') return <p>{say('ambiguousWords')}</p>;
  const state = stateOf(coupon);
  if (got?.kind === 'sold out' || state === 'sold out') {
    return <Words head={say('soldOut')} words={say(got?.kind === 'sold out' ? 'soldOutForYou' : 'soldOutWords')} />;
  }
  if (state === 'ended') {
    return <Words head={say('ended')} words={say('endedWords', { end: instant(coupon.dateIssueEnd) })} />;
  }
  if (state === 'paused') return <Words head={say('paused')} words={say('pausedWords')} />;
  if (got?.kind === 'not open' && state === 'open') return <p>{say('notOpenWords')}</p>;
  if (got?.kind === 'not exist') return <p>{say('noCoupon')}</p>;
  if (got?.kind !== 'refused') return null;
  const { code, detail } = got.problem;
  return <p>{code === 'UNAUTHENTICATED' ? say('signInFirst') : say('refusedWords', { detail })}</p>;
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
  const busy = sending.value !== 'no';
  if (result.value?.kind === 'ambiguous') {
    return (
      <button type="button" class="primary get" disabled={busy} onClick={() => void get()}>
        {say(busy ? 'asking' : 'askAgain')}
      </button>
    );
  }
  if (state === 'ended' || state === 'sold out' || result.value?.kind === 'sold out') return null;
  return (
    <>
      {state === 'before' ? (
        <Countdown ms={Date.parse(coupon.dateIssueStart) - nowMs.value} />
      ) : (
        <Left total={coupon.totalQuantity} left={progress.value?.left ?? null} />
      )}
      <button type="button" class="primary get" disabled={state !== 'open' || busy} onClick={() => void get()}>
        {say(busy ? 'asking' : state === 'before' ? 'notYet' : 'get')}
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
