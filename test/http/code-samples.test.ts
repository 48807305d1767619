// code-samples.test.ts -- The programs of the document run as they stand, where their languages are: each issues, and names the code of a refusal.

import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeSamples } from '../../src/http/document/code-samples.ts';
import { serve } from '../../src/runtime/serve.ts';
import { findProgram } from '../../tools/stack/find-program.ts';
import { fakeApp, fakeAuthority } from './fakes.ts';
import { sign, tokensWith } from './tokens.ts';

const programs: Readonly<Record<string, readonly [string | undefined, string]>> = {
  curl: [findProgram('curl') && findProgram('sh'), 'issue.sh'],
  TypeScript: [process.execPath, 'issue.ts'],
  Java: [findProgram('java'), 'Issue.java'],
  Python: [findProgram('python3'), 'issue.py'],
};

describe.each([true, false])('with AUTH on: %p', (isAuthOn) => {
  // Coupon 1 is issued, coupon 3 is sold out.
  test.each([
    [1, /number 37|"sequence":37/],
    [3, /INVALID_COUPON_ISSUE_QUANTITY/],
  ])(
    'the programs for coupon %d say what came of it',
    async (couponId, expected) => {
      const authority = fakeAuthority({ isOn: isAuthOn, tokens: tokensWith() });
      const { app } = fakeApp({ authority });
      const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: () => undefined });
      const folder = mkdtempSync(join(tmpdir(), 'coupon-samples-'));
      try {
        const token = await sign();
        for (const { label, source } of codeSamples('/v2/issue-async', { couponId, userId: 'u1' }, isAuthOn)) {
          const [program, name] = programs[label] ?? [undefined, ''];
          if (program === undefined) continue;
          const file = join(folder, name);
          expect(source.includes('TOKEN')).toBe(isAuthOn);
          writeFileSync(file, source.replace('TOKEN', token).replaceAll('http://localhost:3000', server.url));
          const child = Bun.spawn([program, file], { stdout: 'pipe', stderr: 'pipe' });
          const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
          expect({ label, out, err }).toMatchObject({
            label,
            out: expect.stringMatching(expected) as unknown as string,
          });
        }
      } finally {
        rmSync(folder, { recursive: true });
        await server.stop();
      }
    },
    60_000,
  );
});
