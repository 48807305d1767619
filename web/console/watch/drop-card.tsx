// drop-card.tsx -- What a drop is and how it went, in figures: its terms, its peak, when it was sold out, who was refused and why.

import type { Coupon, Timeline } from '../../../client/coupon-client.ts';
import { instant, money, wholeNumber } from '../../shared/language.ts';
import { Fact } from '../fact.tsx';
import { say } from '../say.ts';
import type { TextName } from '../texts.ts';
import { durationWords } from './plots.tsx';
import { summaryOf } from './samples.ts';

export function DropCard({ coupon, timeline }: { readonly coupon: Coupon; readonly timeline: Timeline | null }) {
  const { dateIssueStart, dateIssueEnd, discountAmount, minAvailableAmount, currency } = coupon;
  return (
    <section class="card" aria-label={say('dropFacts')}>
      <dl class="facts drop">
        <Fact
          name={say('period')}
          value={
            <>
              <span class="line">{instant(dateIssueStart)}</span> – <span class="line">{instant(dateIssueEnd)}</span>
            </>
          }
        />
        <Fact name={say('fieldDiscount')} value={money(discountAmount, currency)} />
        <Fact name={say('fieldMinimum')} value={money(minAvailableAmount, currency)} />
        {timeline && <Course coupon={coupon} timeline={timeline} />}
      </dl>
    </section>
  );
}

/** As the timeline tells it. */
function Course({ coupon, timeline }: { readonly coupon: Coupon; readonly timeline: Timeline }) {
  const { peak, lagMs, soldOutAfterMs } = summaryOf(timeline, coupon);
  const { alreadyIssued, soldOut, notStarted, paused, ended } = timeline.refusals;
  const refusals = [
    ['refusedDuplicate', alreadyIssued],
    ['refusedSoldOut', soldOut],
    ['refusedEarly', notStarted],
    ['refusedPaused', paused],
    ['refusedLate', ended],
  ] as const satisfies readonly (readonly [TextName, number])[];
  return (
    <>
      <Fact name={say('peak')} value={say('perSecond', { count: peak })} />
      <Fact name={say('soldOutAfter')} value={soldOutAfterMs === null ? '–' : durationWords(soldOutAfterMs)} />
      <Fact
        name={say('plotDurable')}
        value={
          lagMs === null
            ? '–'
            : say('lagFigures', { median: durationWords(lagMs.median), most: durationWords(lagMs.most) })
        }
      />
      {refusals.map(([name, count]) => (
        <Fact key={name} name={say(name)} value={wholeNumber(count)} />
      ))}
    </>
  );
}
