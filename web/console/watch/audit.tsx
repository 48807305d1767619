// audit.tsx -- The promises of one coupon, counted on demand alone, since counting reads every row.

import { useState } from 'preact/hooks';
import type { Audit } from '../../../client/coupon-client.ts';
import { wholeNumber } from '../../shared/language.ts';
import { announceFailure, say } from '../say.ts';
import { asOperator, patientClient } from '../session.ts';
import type { TextName } from '../texts.ts';

/** In the order of the promises. Each must be zero. */
const promises = [
  ['auditUnexpected', ({ unexpected }) => unexpected],
  ['auditUnknown', ({ unknown }) => unknown],
  ['auditMissing', ({ missing }) => missing],
  ['auditLost', ({ lost }) => lost],
  ['auditWithheld', ({ withheld }) => withheld],
  ['auditOutside', ({ outsidePeriod }) => outsidePeriod],
] as const satisfies readonly (readonly [TextName, (audit: Audit) => number])[];

export function AuditCard({ id }: { readonly id: number }) {
  const [audit, setAudit] = useState<Audit | null>(null);
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    const result = await asOperator(() => patientClient.coupons.audit(id));
    if (result.kind === 'done') setAudit(result.value);
    else announceFailure(result);
    setBusy(false);
  };
  return (
    <section class="card audit" aria-labelledby="audit">
      <div class="row spread">
        <div>
          <h2 id="audit">{say('audit')}</h2>
          <p class="hint">{say('auditHint')}</p>
        </div>
        <button type="button" onClick={() => void run()} disabled={busy}>
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
