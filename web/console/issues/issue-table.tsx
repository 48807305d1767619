// issue-table.tsx -- Issues of one coupon as a table, with what an operator may do with each.

import type { CouponIssue } from '../../../client/coupon-client.ts';
import { instant, wholeNumber } from '../../shared/language.ts';
import { say } from '../say.ts';
import { mayChange } from '../session.ts';
import { IssueActions } from '../users/issue-actions.tsx';
import { statusNames } from '../users/status-names.ts';

interface IssueTableProps {
  /** Of the coupon. */
  readonly title: string;
  readonly issues: readonly CouponIssue[];
  /** Called when one is another than it was, or may be. */
  onChanged(): void;
}

export function IssueTable({ title, issues, onChanged }: IssueTableProps) {
  return (
    <div class="card flush">
      <table>
        <caption class="hidden">{say('issues')}</caption>
        <thead>
          <tr>
            <th scope="col">{say('sequence')}</th>
            <th scope="col">{say('user')}</th>
            <th scope="col">{say('acceptedAt')}</th>
            <th scope="col">{say('status')}</th>
            {mayChange.value && <th scope="col">{say('actions')}</th>}
          </tr>
        </thead>
        <tbody>
          {issues.map((issue) => (
            <tr key={issue.sequence}>
              <th scope="row" class="number">
                {wholeNumber(issue.sequence)}
              </th>
              <td class="user">
                {issue.userId}
                {issue.code !== null && <span class="hint number"> {issue.code}</span>}
              </td>
              <td class="hint">{instant(issue.dateIssued)}</td>
              <td>
                <Status issue={issue} />
              </td>
              {mayChange.value && (
                <td>
                  <IssueActions
                    user={issue.userId}
                    issue={issue}
                    title={title}
                    label={issue.userId}
                    onChanged={onChanged}
                  />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Status({ issue: { status, dateUsed, dateRevoked, reference } }: { readonly issue: CouponIssue }) {
  if (status === 'REVOKED' && dateRevoked !== null) return <>{say('issueRevoked', { at: instant(dateRevoked) })}</>;
  if (status !== 'USED' || dateUsed === null) return <>{say(statusNames[status])}</>;
  return (
    <>
      {say('issueUsed', { at: instant(dateUsed) })}
      {reference !== null && <span class="hint"> {reference}</span>}
    </>
  );
}
