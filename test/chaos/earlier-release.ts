// earlier-release.ts -- The source of the release that landed last, to be run beside this one.

import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { tempFolder } from '../../tools/leftovers.ts';
import { runCommand } from '../../tools/stack/run-command.ts';

const root = resolve(import.meta.dirname, '../..');

/** A commit, or why there is none. */
export type EarlierRelease = { readonly commit: string } | { readonly missing: string };

/**
 * The commit of the release before this one: `RELEASE` of the environment; else the newest tag `v…` before HEAD; else where this
 * branch left `main`; else the commit before.
 */
export async function findEarlierRelease(): Promise<EarlierRelease> {
  const head = await git('rev-parse', 'HEAD');
  if (head === null) return { missing: 'this is no git repository' };
  const named = process.env['RELEASE'];
  const candidates = [
    async () => (named ? git('rev-parse', '--verify', `${named}^{commit}`) : null),
    async () => {
      const tag = await git('describe', '--tags', '--abbrev=0', '--match', 'v*', 'HEAD^');
      return tag && git('rev-parse', `${tag}^{commit}`);
    },
    () => git('merge-base', 'HEAD', 'origin/main'),
    () => git('merge-base', 'HEAD', 'main'),
    () => git('rev-parse', '--verify', 'HEAD^'),
  ];
  for (const candidate of candidates) {
    const commit = await candidate();
    if (commit !== null && commit !== head) return { commit };
  }
  return { missing: 'the history holds no earlier commit: clone it without --depth' };
}

/** Unpacks the source of a commit into a folder of its own, with the packages of this one. Throws when git or tar fail. */
export async function unpackRelease(commit: string): Promise<{ readonly folder: string; remove(): void }> {
  const folder = tempFolder('coupon-release-');
  const source = join(folder, 'source');
  mkdirSync(source);
  const archive = join(folder, 'source.tar');
  if ((await git('archive', '--output', archive, commit)) === null) throw new Error(`git cannot archive ${commit}`);
  const unpacked = await runCommand('tar', ['-xf', archive, '-C', source]);
  if (!unpacked.ok) throw new Error(`tar cannot unpack ${commit}: ${unpacked.output}`);
  symlinkSync(join(root, 'node_modules'), join(source, 'node_modules'));
  return { folder: source, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** What git prints, or null when it fails. */
async function git(...args: string[]): Promise<string | null> {
  const run = await runCommand('git', args, { folder: root }).catch(() => null);
  return run?.ok ? run.output : null;
}
