// report.tsx -- What was issued and used of one coupon on the last days, counted on demand alone, since counting reads every row.

import { useState } from 'preact/hooks';
import type { IssueReport } from '../../../client/coupon-client.ts';
import { money, wholeNumber } from '../../shared/language.ts';
import { timeZone } from '../../shared/time-zone.ts';
import { announceFailure, say } from '../say.ts';
import { asOperator, patientClient } from '../session.ts';

export function ReportCard({ id }: { readonly id: number }) {
  const [report, setReport] = useState<IssueReport | null>(null);
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    const zone = timeZone.value ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    const result = await asOperator(() => patientClient.reports.issues({ couponId: id, timeZone: zone }));
    if (result.kind === 'done') setReport(result.value);
    else announceFailure(result);
    setBusy(false);
  };
  return (
    <section class="card audit" aria-labelledby="report">
      <div class="row spread">
        <div>
          <h2 id="report">{say('report')}</h2>
          <p class="hint">{say('reportHint')}</p>
        </div>
        <button type="button" onClick={() => void run()} disabled={busy}>
          {say(busy ? 'auditRunning' : 'reportRun')}
        </button>
      </div>
      {report && <Days report={report} />}
    </section>
  );
}

function Days({ report: { days, archived, timeZone: zone } }: { readonly report: IssueReport }) {
  if (archived.length > 0) return <p class="notice">{say('archivedReport')}</p>;
  if (days.length === 0) return <p class="hint">{say('noReport')}</p>;
  return (
    <table>
      <caption class="hint">{say('zoneHint', { zone })}</caption>
      <thead>
        <tr>
          <th scope="col">{say('day')}</th>
          <th scope="col">{say('issued')}</th>
          <th scope="col">{say('used')}</th>
          <th scope="col">{say('revoked')}</th>
          <th scope="col">{say('discountSum')}</th>
        </tr>
      </thead>
      <tbody>
        {days.map(({ date, issued, used, revoked, discount, currency }) => (
          <tr key={date}>
            <th scope="row">{date}</th>
            <td class="number">{wholeNumber(issued)}</td>
            <td class="number">{wholeNumber(used)}</td>
            <td class="number">{wholeNumber(revoked)}</td>
            <td class="number">{money(discount, currency)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
