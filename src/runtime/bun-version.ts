// bun-version.ts -- Loaded by Bun before every command of this folder (see bunfig.toml): one that is too old ends with a line that says what to do.
//
// Only what Bun had from the beginning is used here.

import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly engines: { readonly bun: string };
};
const neededText = manifest.engines.bun.replace('>=', '');
const runningText = process.versions['bun'];
if (runningText !== undefined && isOlder(numbersOf(runningText), numbersOf(neededText))) {
  console.error(
    `Bun ${runningText} is too old, ${neededText} or newer is needed: run \`bun upgrade\`, or put \`npx -y bun@latest\` in the place of \`bun\`.`,
  );
  process.exit(1);
}

function numbersOf(version: string): number[] {
  return version.split(/[.-]/, 3).map(Number);
}

function isOlder(version: readonly number[], needed: readonly number[]): boolean {
  const at = needed.findIndex((number, i) => number !== version[i]);
  return at >= 0 && Number(version[at]) < Number(needed[at]);
}
