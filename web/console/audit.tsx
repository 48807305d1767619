// audit.tsx -- The promises of one coupon, counted when the operator asks: counting reads every row, so it is never done by itself.

import { useState } from 'preact/hooks';
import type { Audit } from '../../client/coupon-client.ts';
import { wholeNumber } from '../shared/language.ts';
import { auditCoupon } from './api.ts';
import { say, tellFault } from './say.ts';
import type { TextName } from './texts.ts';

/** In the order of the promises. Each must be zero. */
const promises = [
  ['auditUnexpected', ({ unexpected }) => unexpected],
  ['auditUnknown', ({ unknown }) => unknown],
  ['auditMissing', ({ missing }) => missing],
  ['auditOutside', ({ outsidePeriod }) => outsidePeriod],
] as const satisfies readonly (readonly [TextName, (audit: Audit) => number])[];

export function AuditCard({ id }: { readonly id: number }) {
  const [audit, setAudit] = useState<Audit | null>(null);
  const [busy, setBusy] = useState(false);
  const run = () => {
    setBusy(true);
    auditCoupon(id)
      .then(({ body }) => setAudit(body), tellFault)
      .finally(() => setBusy(false));
  };
  return (
    <section class="card audit" aria-labelledby="audit">
      <div class="row spread">
        <div>
          <h2 id="audit">{say('audit')}</h2>
          <p class="hint">{say('auditHint')}</p>
        </div>
        <button type="button" onClick={run} disabled={busy}>
          {say(busy ? 'auditRunning' : 'auditRun')}
        </button>
      </div>
      <div role="status">{audit && <Verdict audit={audit} />}</div>
      {audit && <Counts audit={audit} />}
    </section>
  );
}

function Verdict({ audit }: { readonly audit: Audit }) {
  const broken = promises.some(([, countOf]) => countOf(audit) !== 0);
  return <p class={broken ? 'notice bad' : 'notice'}>{say(broken ? 'auditBad' : 'auditGood')}</p>;
}

function Counts({ audit }: { readonly audit: Audit }) {
  const counts: readonly (readonly [TextName, number | null])[] = [
    ['auditRows', audit.rows],
    ['auditOwners', audit.owners],
    ['auditUnpersisted', audit.unpersisted],
    ['auditDead', audit.dead],
    ...promises.map(([name, countOf]) => [name, countOf(audit)] as const),
  ];
  return (
    <dl class="counts">
      {counts.map(([name, count]) => (
        <div key={name}>
          <dt>{say(name)}</dt>
          <dd class="number">{count === null ? say('notOpen') : wholeNumber(count)}</dd>
        </div>
      ))}
    </dl>
  );
}
