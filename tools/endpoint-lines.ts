// What `bun run dev` prints when all is up: the pages to open, and one `curl` line for each endpoint, ready to paste.

export interface EndpointLinesOptions {
  apiUrl: string;
  adminApiKey: string;
  /** A coupon that is open. */
  couponId: number;
  /** Three users from here on, new ones each time, so that each line is answered with a success at first. */
  firstUserId: number;
}

export function endpointLines({ apiUrl, adminApiKey, couponId, firstUserId }: EndpointLinesOptions): string[] {
  const key = `-H 'Authorization: Bearer ${adminApiKey}'`;
  const json = "-H 'Content-Type: application/json'";
  const issue = (path: string, userId: number): string =>
    `curl -i ${apiUrl}${path} ${json} -d '{"couponId":${couponId},"userId":${userId}}'`;
  const coupon = `${apiUrl}/v1/coupons/${couponId}`;
  const newCoupon = JSON.stringify({
    title: 'My first coupon',
    totalQuantity: 100,
    discountAmount: 1_000,
    minAvailableAmount: 10_000,
    dateIssueStart: '2026-01-01T00:00:00.000Z',
    dateIssueEnd: '2036-01-01T00:00:00.000Z',
  });
  return [
    `  Console     ${apiUrl}/console (key: ${adminApiKey})`,
    `  Drop page   ${apiUrl}/drop/${couponId}`,
    `  Swagger UI  ${apiUrl}/swagger`,
    `  Hello       ${apiUrl}/hello`,
    `  Metrics     ${apiUrl}/metrics`,
    `  Readiness   ${apiUrl}/readyz`,
    '',
    'Issue a coupon, in three ways:',
    `  ${issue('/v1/issue', firstUserId)}`,
    `  ${issue('/v1/issue-async', firstUserId + 1)}`,
    `  ${issue('/v2/issue-async', firstUserId + 2)}`,
    'What became of it:',
    `  curl -i ${coupon}/issues/${firstUserId}`,
    'As an operator:',
    `  curl -i ${apiUrl}/v1/coupons ${key} ${json} -d '${newCoupon}'`,
    `  curl -i ${apiUrl}/v1/coupons ${key}`,
    `  curl -i ${coupon} ${key}`,
    'And the rest:',
    ...['/hello', '/livez', '/readyz', '/metrics', '/swagger/json'].map((path) => `  curl -i ${apiUrl}${path}`),
  ];
}
