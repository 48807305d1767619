// plots.tsx -- The plots of a drop: from its first issue on, whole or zoomed in.

import { useMemo, useState } from 'preact/hooks';
import type { Coupon } from '../../../client/coupon-client.ts';
import { wholeNumber } from '../../shared/language.ts';
import { say } from '../say.ts';
import { Age } from './liveness.tsx';
import { Plot, type Range } from './plot.tsx';
import { type Point, timelinePoints, wholeDrop } from './samples.ts';
import type { Drop } from './use-drop.ts';

/** The whole drop, the last so many seconds, or what was dragged over. */
type View = 'whole' | 300 | 60 | Range;

export function Plots({ coupon, drop }: { readonly coupon: Coupon; readonly drop: Drop }) {
  const [view, setView] = useState<View>('whole');
  const { timeline, points: live, progress, load, nowMs } = drop;
  const sinceS = live[0]?.seconds ?? Date.now() / 1000;
  const before = useMemo(
    () => (timeline ? timelinePoints(timeline, coupon.totalQuantity, sinceS) : []),
    [timeline, coupon.totalQuantity, sinceS],
  );
  const points = [...before, ...live];
  const range = rangeOf(view, points, wholeDrop(points, timeline));
  const shared = { times: points.map(({ seconds }) => seconds), range, onZoom: setView };
  const line = (name: string, valueOf: (point: Point) => number | null) => ({ name, values: points.map(valueOf) });
  return (
    <section class="drop-plots" aria-label={say('plots')}>
      <Views view={view} onView={setView} />
      <div class="plots">
        <Plot
          {...shared}
          title={say('plotRate')}
          hint={say('plotRateHint')}
          age={<Age of={progress} nowMs={nowMs} />}
          lines={[line(say('accepted'), ({ accepted }) => accepted), line(say('refused'), ({ refused }) => refused)]}
          words={wholeNumber}
        />
        <Plot
          {...shared}
          title={say('plotLeft')}
          hint={say('plotLeftHint')}
          age={<Age of={progress} nowMs={nowMs} />}
          lines={[line(say('plotLeft'), ({ left }) => left)]}
          words={wholeNumber}
        />
        <Plot
          {...shared}
          title={say('plotDurable')}
          hint={say('plotDurableHint')}
          age={<Age of={load} nowMs={nowMs} />}
          lines={[line(say('plotDurable'), ({ lagMs }) => lagMs)]}
          words={durationWords}
          marks={durationWords}
        />
        <Plot
          {...shared}
          title={say('plotBacklog')}
          hint={say('plotBacklogHint')}
          age={<Age of={load} nowMs={nowMs} />}
          lines={[line(say('plotBacklog'), ({ backlog }) => backlog)]}
          words={wholeNumber}
        />
      </div>
    </section>
  );
}

function Views({ view, onView }: { readonly view: View; onView(view: View): void }) {
  const button = (to: View, words: string) => (
    <button type="button" class="small" aria-pressed={view === to} onClick={() => onView(to)}>
      {words}
    </button>
  );
  return (
    <div class="row tight" role="group" aria-label={say('zoom')}>
      {button('whole', say('wholeDrop'))}
      {button(300, say('lastMinutes', { minutes: 5 }))}
      {button(60, say('lastMinutes', { minutes: 1 }))}
      <span class="hint">{say('zoomHint')}</span>
    </div>
  );
}

function rangeOf(view: View, points: readonly Point[], whole: Range | null): Range | null {
  if (view === 'whole') return whole;
  if (typeof view !== 'number') return view;
  const end = points.at(-1)?.seconds;
  return end === undefined ? null : [end - view, end];
}

export function durationWords(ms: number): string {
  return ms < 1000 ? say('milliseconds', { value: ms }) : say('seconds', { value: (ms / 1000).toFixed(1) });
}
