// coupon-issues.tsx -- The issues of one coupon: in order, a page at a time; of one user, or of one code; and all of them as a file.

import { useState } from 'preact/hooks';
import type { CouponClient, CouponIssuePage, Done, RequestResult } from '../../../client/coupon-client.ts';
import { Loaded } from '../loaded.tsx';
import { addressOf } from '../place.ts';
import { announce, say } from '../say.ts';
import { readFile } from '../session.ts';
import { IssueTable } from './issue-table.tsx';

const PAGE = 50;

export function CouponIssues({ id }: { readonly id: number }) {
  return (
    <Loaded name={`issues of ${id}`} read={({ coupons }) => coupons.read(id)}>
      {({ value: { title } }) => (
        <>
          <div class="row spread">
            <div class="title">
              <h1 tabIndex={-1}>{say('issuesOf', { title })}</h1>
              <p class="hint">{say('issuesHint')}</p>
              <p>
                <a href={addressOf({ kind: 'watch', id })}>{title}</a>
              </p>
            </div>
            <Download id={id} />
          </div>
          <List key={id} id={id} title={title} />
        </>
      )}
    </Loaded>
  );
}

/** What is looked for; without anything it is a page of all. It stays out of the address, which browsers keep. */
interface Sought {
  readonly user?: string;
  readonly code?: string;
}

type Found = CouponIssuePage & { readonly sought: Sought };

function List({ id, title }: { readonly id: number; readonly title: string }) {
  const [sought, setSought] = useState<Sought>({});
  const [typed, setTyped] = useState<Sought>({});
  const [after, setAfter] = useState(0);
  const [round, setRound] = useState(0);
  // What is typed for something else no longer says what is shown.
  const find = (what: Sought) => {
    setSought(what);
    setTyped(what);
    setAfter(0);
    setRound(round + 1);
  };
  const { user = '', code = '' } = sought;
  return (
    <>
      <div class="card fields">
        <FindForm name="user" typed={typed} onType={setTyped} onFind={find} />
        <FindForm name="code" typed={typed} onType={setTyped} onFind={find} />
      </div>
      <Loaded name={`${user} ${code} ${after} ${round}`} read={(client) => readIssues(client, id, sought, after)}>
        {({ value }, readAgain) => (
          <>
            <Issues id={id} title={title} found={value} onChanged={readAgain} />
            <Buttons
              found={value}
              isFirst={after === 0}
              onPage={setAfter}
              onAll={() => find({})}
              onAgain={() => setRound(round + 1)}
            />
          </>
        )}
      </Loaded>
    </>
  );
}

const nothing: Done<CouponIssuePage> = {
  kind: 'done',
  value: { issues: [], next: 0, more: false },
  isReplayed: false,
  serverMs: null,
};

async function readIssues(
  client: CouponClient,
  id: number,
  sought: Sought,
  after: number,
): Promise<RequestResult<Found>> {
  const { user, code } = sought;
  const filter = user === undefined ? { after, limit: PAGE } : { userId: user };
  const result = await (code === undefined ? client.coupons.issues(id, filter) : readIssueOf(client, code));
  return result.kind === 'done' ? { ...result, value: { ...result.value, sought } } : result;
}

/** The issue that has a code, of whatever coupon, as a page. */
async function readIssueOf(client: CouponClient, code: string): Promise<RequestResult<CouponIssuePage>> {
  const found = await client.codes.find(code);
  if (found.kind === 'done') return { ...found, value: { ...nothing.value, issues: [found.value] } };
  return found.problem?.code === 'CODE_NOT_EXIST' ? nothing : found;
}

interface FindFormProps {
  readonly name: keyof Sought;
  readonly typed: Sought;
  onType(typed: Sought): void;
  onFind(what: Sought): void;
}

/** `verb`: what the button says to screen readers, of two that say the same. */
const fields = {
  user: { label: 'userId', hint: 'findUserHint', verb: 'findUser', lengthMax: 255 },
  code: { label: 'code', hint: 'findCodeHint', verb: 'findCode', lengthMax: 64 },
} as const;

/** An empty field shows all again. */
function FindForm({ name, typed, onType, onFind }: FindFormProps) {
  const { label, hint, verb, lengthMax } = fields[name];
  const text = typed[name] ?? '';
  return (
    <form
      class="field"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = text.trim();
        onFind(wanted === '' ? {} : { [name]: wanted });
      }}
    >
      <label for={name}>{say(label)}</label>
      <div class="row">
        <input
          id={name}
          value={text}
          maxLength={lengthMax}
          autocomplete="off"
          spellcheck={false}
          aria-describedby={`${name}-hint`}
          onInput={({ currentTarget }) => onType({ ...typed, [name]: currentTarget.value })}
        />
        <button type="submit" aria-label={say(verb)}>
          {say('find')}
        </button>
      </div>
      <span id={`${name}-hint`} class="hint">
        {say(hint)}
      </span>
    </form>
  );
}

interface IssuesProps {
  readonly id: number;
  readonly title: string;
  readonly found: Found;
  onChanged(): void;
}

function Issues({ id, title, found: { issues, sought }, onChanged }: IssuesProps) {
  const { user, code } = sought;
  const [first] = issues;
  if (first && first.couponId !== id)
    return (
      <p class="card hint" role="status">
        {say('codeOfAnother', { code: code ?? '' })}{' '}
        <a href={addressOf({ kind: 'issues', id: first.couponId })}>{`#${first.couponId}`}</a>
      </p>
    );
  if (first) return <IssueTable title={title} issues={issues} onChanged={onChanged} />;
  return (
    <p class="card hint" role="status">
      {code !== undefined && say('noCode', { code })}
      {user !== undefined && say('userHasNone', { user })}
      {code === undefined && user === undefined && say('noIssues')}
    </p>
  );
}

interface ButtonsProps {
  readonly found: Found;
  readonly isFirst: boolean;
  onPage(after: number): void;
  onAll(): void;
  onAgain(): void;
}

/** The last one is the same element whatever it says, so that the focus stays on it. */
function Buttons({ found: { sought, next, more }, isFirst, onPage, onAll, onAgain }: ButtonsProps) {
  const isAll = sought.user === undefined && sought.code === undefined;
  const last = !isAll ? 'showAll' : more ? 'more' : 'newer';
  const presses = { showAll: onAll, more: () => onPage(next), newer: onAgain };
  return (
    <div class="row">
      {isAll && !isFirst && (
        <button type="button" onClick={() => onPage(0)}>
          {say('first')}
        </button>
      )}
      <button type="button" onClick={presses[last]}>
        {say(last)}
      </button>
    </div>
  );
}

function Download({ id }: { readonly id: number }) {
  const [busy, setBusy] = useState(false);
  const download = async () => {
    setBusy(true);
    const file = await readFile(`/v1/coupons/${id}/issues`, 'text/csv');
    setBusy(false);
    if (file === null) return announce(say('downloadFailed'), true);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file);
    link.download = `coupon-${id}-issues.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
    announce(say('downloaded', { rows: await countLines(file) }));
  };
  return (
    <button type="button" onClick={() => void download()} disabled={busy}>
      {say(busy ? 'downloading' : 'download')}
    </button>
  );
}

/** Lines but the first, without holding the text. */
async function countLines(file: Blob): Promise<number> {
  let lines = -1;
  const reader = file.stream().getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    for (const byte of piece.value) if (byte === 10) lines += 1;
  }
  return lines;
}
