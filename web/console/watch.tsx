// watch.tsx -- One drop as it happens. Events bring its progress, and the load is read once a second while the page is visible.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Coupon, Progress } from '../../client/coupon-client.ts';
import { follow } from '../shared/follow.ts';
import { wholeNumber } from '../shared/language.ts';
import { AuditCard } from './audit.tsx';
import { ReportCard } from './report.tsx';
import { PauseButton, Status } from './coupons/coupon-list.tsx';
import { HistoryCard } from './coupons/history-card.tsx';
import { type Point, pointBetween, type Seen, withPoint } from './history.ts';
import { Loaded } from './loaded.tsx';
import { useNowMs } from './now.ts';
import { addressOf } from './place.ts';
import { PreflightCard } from './preflight/preflight-card.tsx';
import { Plot } from './plot.tsx';
import { announce, announceFailure, say } from './say.ts';
import { asOperator, follower, mayChange } from './session.ts';

export function Watch({ id }: { readonly id: number }) {
  const { progress, connected, points } = useDrop(id);
  // Another version is somebody's edit: the coupon is read again.
  return (
    <Loaded name={`watch ${id} ${progress?.version ?? ''}`} read={({ coupons }) => coupons.read(id)}>
      {({ value: coupon }, readAgain, aheadMs) => (
        <>
          <Head coupon={coupon} progress={progress} connected={connected} aheadMs={aheadMs} onChanged={readAgain} />
          <Stock coupon={coupon} progress={progress} />
          <Plots points={points} />
          <PreflightCard id={id} />
          <AuditCard id={id} />
          <HistoryCard id={id} version={coupon.version} />
          <ReportCard id={id} />
        </>
      )}
    </Loaded>
  );
}

const EVERY_MS = 1000;
const LOAD_MS_MAX = 4000;
/** Later than an event would come, which is the better moment: then all numbers on the page are of one instant. */
const LATE_MS = EVERY_MS * 1.2;

function useDrop(id: number) {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [connected, setConnected] = useState(false);
  const [points, setPoints] = useState<readonly Point[]>([]);
  const newest = useRef<Progress | null>(null);
  useEffect(() => {
    newest.current = null;
    setPoints([]);
    let before: Seen | null = null;
    let stopped = false;
    let isLooking = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      clearTimeout(timer);
      timer = setTimeout(() => void look(), LATE_MS);
      if (document.hidden || isLooking) return;
      isLooking = true;
      // A server that does not answer leaves a gap in the plots.
      const result = await asOperator((client) => client.load({ signal: AbortSignal.timeout(LOAD_MS_MAX) }));
      isLooking = false;
      if (stopped) return;
      const load = result.kind === 'done' ? result.value : null;
      const now: Seen = { progress: newest.current, load };
      const last = before;
      before = now;
      if (last) setPoints((seen) => withPoint(seen, pointBetween(last, now, Date.now())));
    };
    const stopFollowing = follow(follower, id, {
      onProgress: (seen) => {
        newest.current = seen;
        setProgress(seen);
        void look();
      },
      onConnected: setConnected,
    });
    timer = setTimeout(() => void look(), EVERY_MS);
    return () => {
      stopped = true;
      clearTimeout(timer);
      stopFollowing();
    };
  }, [id]);
  return { progress, connected, points };
}

interface HeadProps {
  readonly coupon: Coupon;
  readonly progress: Progress | null;
  readonly connected: boolean;
  readonly aheadMs: number;
  onChanged(): void;
}

function Head({ coupon, progress, connected, aheadMs, onChanged }: HeadProps) {
  const { id, title } = coupon;
  const nowMs = useNowMs(aheadMs);
  const warmUp = async () => {
    const result = await asOperator(({ coupons }) => coupons.open(id));
    if (result.kind === 'done') announce(say('warmedUp'));
    else announceFailure(result);
  };
  return (
    <div class="row spread top">
      <div class="title">
        <h1 tabIndex={-1}>{title}</h1>
        <p class="row tight">
          <Status coupon={coupon} nowMs={nowMs} left={progress?.left ?? null} />
          <span class={connected ? 'pulse' : 'hint'} role="status">
            {say(connected ? 'live' : 'reconnecting')}
          </span>
          {coupon.listed && <a href={`/drop/${id}`}>{say('dropPage')}</a>}
        </p>
      </div>
      {mayChange.value && coupon.dateArchived === null && (
        <div class="row">
          <button type="button" onClick={() => void warmUp()}>
            {say('warmUp')}
          </button>
          <a class="button" href={addressOf({ kind: 'edit', id })}>
            {say('edit')}
          </a>
          <PauseButton coupon={coupon} onChanged={onChanged} />
        </div>
      )}
    </div>
  );
}

function Stock({ coupon, progress }: { readonly coupon: Coupon; readonly progress: Progress | null }) {
  const total = coupon.totalQuantity;
  const issued = progress?.issued ?? coupon.issuedQuantity;
  const left = total === null ? null : (progress?.left ?? Math.max(0, total - issued));
  return (
    <section class="card stock" aria-label={say('plotLeft')}>
      <p>
        <strong class="number huge">{wholeNumber(left ?? issued)}</strong>{' '}
        <span class="hint">
          {left === null || total === null ? say('issuedSoFar') : `${say('left')} · ${say('leftOf', { total })}`}
        </span>
      </p>
      {left !== null && total !== null && (
        <progress class="bar" value={left} max={total} aria-label={say('plotLeft')} />
      )}
    </section>
  );
}

function Plots({ points }: { readonly points: readonly Point[] }) {
  const times = points.map(({ seconds }) => seconds);
  const line = (name: string, valueOf: (point: Point) => number | null) => ({ name, values: points.map(valueOf) });
  return (
    <div class="plots">
      <Plot
        title={say('plotRate')}
        hint={say('plotRateHint')}
        times={times}
        lines={[line(say('accepted'), ({ accepted }) => accepted), line(say('refused'), ({ refused }) => refused)]}
        words={wholeNumber}
      />
      <Plot
        title={say('plotLeft')}
        hint={say('plotLeftHint')}
        times={times}
        lines={[line(say('plotLeft'), ({ left }) => left)]}
        words={wholeNumber}
      />
      <Plot
        title={say('plotDurable')}
        hint={say('plotDurableHint')}
        times={times}
        lines={[line(say('plotDurable'), ({ oldestMs }) => oldestMs)]}
        words={durationWords}
        marks={durationWords}
      />
      <Plot
        title={say('plotBacklog')}
        hint={say('plotBacklogHint')}
        times={times}
        lines={[line(say('plotBacklog'), ({ backlog }) => backlog)]}
        words={wholeNumber}
      />
    </div>
  );
}

function durationWords(ms: number): string {
  return ms < 1000 ? say('milliseconds', { value: ms }) : say('seconds', { value: (ms / 1000).toFixed(1) });
}
