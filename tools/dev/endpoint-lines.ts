// endpoint-lines.ts -- What `bun run dev` prints when all is up: the pages to open, the stores, and `curl` lines that work as they are pasted
// and fit a terminal of 80 columns.

import { findProgram } from '../stack/find-program.ts';

export interface EndpointLinesOptions {
  apiUrl: string;
  adminApiKey: string;
  /** Then users must say who they are too; the key of operators does for all of them. */
  isAuthOn: boolean;
  redisUrl: string;
  databaseUrl: string;
  /** A coupon that is open. */
  couponId: number;
  /** Three users from here on, new ones each time, so that each line is answered with a success at first. */
  firstUserId: number;
}

const COLUMNS = 80;

export function endpointLines(options: EndpointLinesOptions): string[] {
  const { apiUrl, adminApiKey, isAuthOn, couponId, firstUserId } = options;
  const host = apiUrl.replace('http://', '');
  const key = `-H 'Authorization: Bearer ${adminApiKey}'`;
  const user = isAuthOn ? [key] : [];
  const issue = (path: string, userId: number): string[] =>
    curl(`${host}${path}`, ...user, JSON_BODY, `-d '${JSON.stringify({ couponId, userId })}'`);
  const coupon = `${host}/v1/coupons/${couponId}`;
  return [
    `  Console     ${apiUrl}/console`,
    `              key: ${adminApiKey}`,
    `  Drop page   ${apiUrl}/drop/${couponId}`,
    `  Swagger UI  ${apiUrl}/swagger`,
    `  Metrics     ${apiUrl}/metrics`,
    ...storeLines(options),
    '',
    'Issue a coupon, in three ways:',
    ...issue('/v1/issue', firstUserId),
    ...issue('/v1/issue-async', firstUserId + 1),
    ...issue('/v2/issue-async', firstUserId + 2),
    'What became of it:',
    ...curl(`${coupon}/issues/${firstUserId}`, ...user),
    'As an operator:',
    ...curl(`${host}/v1/coupons`, key, JSON_BODY, NEW_COUPON),
    ...curl(`${host}/v1/coupons`, key),
    ...curl(coupon, key),
    'Events to a webhook (the answer has its secret; then issue a coupon):',
    ...curl(`${host}/v1/webhooks`, key, JSON_BODY, NEW_WEBHOOK),
    '  WEBHOOK_SECRET=whsec_… bun examples/webhook-receiver.ts',
    'And the rest:',
    ...['/hello', '/livez', '/readyz', '/swagger/json'].flatMap((path) => curl(`${host}${path}`)),
    ...curl(`${host}/metrics`, ...user),
  ];
}

const JSON_BODY = "-H 'Content-Type: application/json'";
/** JSON may be broken into lines, and so fits a terminal. */
const NEW_COUPON = `-d '{"title":"My first coupon","totalQuantity":100,
    "discountAmount":1000,"minAvailableAmount":10000,
    "dateIssueStart":"2026-01-01T00:00:00Z",
    "dateIssueEnd":"2036-01-01T00:00:00Z"}'`;

const NEW_WEBHOOK = `-d '${JSON.stringify({ url: 'http://localhost:4000/', kinds: ['issue.created', 'issue.used'] })}'`;

/** One command, continued on the next line where the terminal ends. */
function curl(url: string, ...options: readonly string[]): string[] {
  const lines = [`  curl -i ${url}`];
  for (const option of options) {
    const [last = ''] = lines.slice(-1);
    const longest = Math.max(...`${last} ${option}`.split('\n').map((line) => line.length));
    if (longest + ' \\'.length <= COLUMNS) lines[lines.length - 1] = `${last} ${option}`;
    else lines.splice(-1, 1, `${last} \\`, `    ${option}`);
  }
  return lines.flatMap((line) => line.split('\n'));
}

/** The addresses of the stores, and how to look into them; passwords are left out, and asked for. */
function storeLines({ redisUrl, databaseUrl }: EndpointLinesOptions): string[] {
  const lines = [`  MySQL       ${withoutPassword(databaseUrl)}`, `  Redis       ${withoutPassword(redisUrl)}`];
  if (!URL.canParse(databaseUrl) || !URL.canParse(redisUrl)) return lines;
  const mysql = new URL(databaseUrl);
  const program = findProgram('mysql') === undefined && findProgram('mariadb') !== undefined ? 'mariadb' : 'mysql';
  const user = decodeURIComponent(mysql.username) || 'root';
  const address = `-h${mysql.hostname} -P${mysql.port || '3306'} -u${user}`;
  const password = mysql.password === '' ? '' : ' -p';
  return [
    ...lines,
    `  look in     ${program} ${address}${password} ${mysql.pathname.slice(1)}`,
    `              redis-cli -u ${withoutPassword(redisUrl)}`,
  ];
}

function withoutPassword(url: string): string {
  return url.replace(/(\/\/[^:@/]*):[^@/]*@/, '$1@');
}
