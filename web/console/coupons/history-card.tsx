// history-card.tsx -- What operators did with one coupon: its part of the audit trail, a page at a time, the newest first.

import { useState } from 'preact/hooks';
import type { AuditTrailPage } from '../../../client/coupon-client.ts';
import { instant, wholeNumber } from '../../shared/language.ts';
import { Loaded, PageButtons } from '../loaded.tsx';
import { say } from '../say.ts';
import { consoleTexts, type TextName } from '../texts.ts';

type Entry = AuditTrailPage['entries'][number];

const LIMIT = 10;

/** `version`: with another one the history is read again. */
export function HistoryCard({ id, version }: { readonly id: number; readonly version: string }) {
  const [after, setAfter] = useState(0);
  return (
    <section class="card history" aria-labelledby="history">
      <div>
        <h2 id="history">{say('history')}</h2>
        <p class="hint">{say('historyHint')}</p>
      </div>
      <Loaded
        name={`history ${id} ${version} ${after}`}
        read={({ auditTrail }) => auditTrail({ couponId: id, after, limit: LIMIT })}
      >
        {({ value: { entries, next } }) => (
          <>
            {entries.length === 0 && <p class="hint">{say('noHistory')}</p>}
            <ol class="entries">
              {entries.map((entry) => (
                <Item key={entry.id} entry={entry} />
              ))}
            </ol>
            <PageButtons after={after} next={next} onPage={setAfter} />
          </>
        )}
      </Loaded>
    </section>
  );
}

function Item({ entry }: { readonly entry: Entry }) {
  const { action, actor, address, date, from, to } = entry;
  const changed = members.filter(([name]) => name in { ...from, ...to });
  return (
    <li>
      <p class="row tight">
        <strong>{isText(action) ? say(action) : action}</strong>
        <span>{actor}</span>
        <span class="hint number push">
          {instant(date)}
          {address !== null && ` · ${address}`}
        </span>
      </p>
      {changed.length > 0 && (
        <dl class="facts">
          {changed.map(([name, text]) => (
            <div key={name}>
              <dt>{say(text)}</dt>
              <dd class="number">
                {from !== null && from[name] !== to?.[name] && `${words(from[name])} → `}
                {words(to?.[name])}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  );
}

/** What people want to read of a change, and how it is called. */
const members = [
  ['title', 'fieldTitle'],
  ['totalQuantity', 'fieldTotal'],
  ['discountAmount', 'fieldDiscount'],
  ['minAvailableAmount', 'fieldMinimum'],
  ['currency', 'fieldCurrency'],
  ['usableFrom', 'fieldUsableFrom'],
  ['usableUntil', 'fieldUsableUntil'],
  ['usableDays', 'fieldUsableDays'],
  ['timeZone', 'fieldTimeZone'],
  ['sequence', 'sequence'],
  ['dateIssueStart', 'fieldStart'],
  ['dateIssueEnd', 'fieldEnd'],
  ['paused', 'paused'],
  ['listed', 'fieldListed'],
  ['users', 'users'],
  ['pattern', 'codePattern'],
  ['codes', 'codes'],
  ['reason', 'reason'],
] as const satisfies readonly (readonly [string, TextName])[];

function isText(name: string): name is TextName {
  return name in consoleTexts.en;
}

function words(value: unknown): string {
  if (typeof value === 'boolean') return say(value ? 'yes' : 'no');
  if (typeof value === 'number') return wholeNumber(value);
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT/.test(value) ? instant(value) : value;
  return value === null ? say('fieldNoLimit') : '–';
}
